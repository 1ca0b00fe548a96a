"""Verifying a packet: is it what was stored, is all of it there that it says it has, and did the key sign that?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.note import Note
from aftertrace.verifier import bag, layout
from aftertrace.verifier.about import About, Run
from aftertrace.verifier.archive import Archive
from aftertrace.verifier.comparing import Compared, compare
from aftertrace.verifier.ledgers import Ledger, check_receipt, open_ledger
from aftertrace.verifier.ledgers import compare as compare_kept
from aftertrace.verifier.members import Folder, Members, content
from aftertrace.verifier.verdicts import Codes, Finding, Findings, Question, Signed, Verdict, answered

CODES: Final[Codes] = {
    "archive_altered": ("integrity", "error"),
    "bag_altered": ("integrity", "error"),
    "file_differs": ("integrity", "error"),
    "packet_altered": ("integrity", "error"),
    "receipt_differs": ("integrity", "error"),
    "rows_differ": ("integrity", "error"),
    "rows_added": ("integrity", "error"),
    "origin_differs": ("integrity", "error"),
    "ledger_altered": ("integrity", "error"),
    "history_differs": ("integrity", "error"),
    "sample_differs": ("integrity", "error"),
    "file_missing": ("completeness", "error"),
    "rows_missing": ("completeness", "error"),
    "origin_missing": ("completeness", "error"),
    "ledger_missing": ("completeness", "error"),
    "not_signed": ("authenticity", "error"),
    "checkpoint_foreign": ("authenticity", "error"),
    "key_damaged": ("authenticity", "error"),
    "key_retired": ("authenticity", "error"),
    "key_forged": ("authenticity", "error"),
    "key_lost": ("authenticity", "warning"),
    "key_rotated": ("authenticity", "info"),
    "uncovered": ("integrity", "warning"),
    "no_receipt": ("integrity", "warning"),
    "unchecked": ("integrity", "warning"),
}
"""What each finding says; the documents tell more."""
_MAX_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class PacketReport:
    """What was verified, and what was found."""

    about: About | None
    """What the packet says of itself; None where that cannot be read."""
    logs: tuple[Signed, ...]
    requests: int
    """Requests whose rows are as a ledger has them."""
    records: int
    """Records that are shown."""
    rows: int
    """Rows of all three tables."""
    files: int
    """Files in the packet."""
    withheld: int
    """Records of the same requests that are not shown: only hashes of them are in the packet."""
    evidence_bytes: int
    """Bytes of the records."""
    receipt: int | None
    """Index of the entry of its export; None where it is not proven."""
    findings: tuple[Finding, ...]

    @property
    def verdicts(self) -> dict[Question, Verdict]:
        """The answers to all three questions."""
        return answered(self.logs, self.findings, CODES)


def open_packet(path: Path) -> Members:
    """The files of a packet in a folder or a file.

    Raises:
        Invalid: it is none.
        OSError: it cannot be read.
    """
    return Folder(path) if path.is_dir() else Archive(path)


def verify_packet(path: Path, keys: Sequence[VerifierKey] = (), kept: Sequence[tuple[str, Note]] = ()) -> PacketReport:
    """Verify a packet.

    Args:
        path: of its folder, or of the file.
        keys: those that may have signed, known from elsewhere; without any, those in the packet.
        kept: checkpoints that somebody kept elsewhere, each with where it is from.

    Raises:
        OSError: it cannot be read.
    """
    findings = Findings(CODES)
    try:
        members = open_packet(path)
    except Invalid as refusal:
        findings.add("archive_altered", path.name, str(refusal))
        return PacketReport(None, (), 0, 0, 0, 0, 0, 0, None, findings.listed())
    bag.check(members, findings)
    about = _about(members, findings)
    ledgers = [open_ledger(members, number, keys, findings) for number in _numbers(members, about)]
    compare_kept(members, ledgers, kept, findings)
    compared = compare(members, ledgers, findings)
    if about is not None:
        _check_about(members, about, compared, findings)
    _check_policies(members, compared, findings)
    receipt = check_receipt(members, ledgers, keys, findings)
    counts = compared.counts
    return PacketReport(
        about=about,
        logs=tuple(_signed(ledger) for ledger in ledgers),
        requests=compared.proven,
        records=counts["evidence"],
        rows=counts["evidence"] + counts["spans"] + counts["events"],
        files=len(members.sizes),
        withheld=compared.withheld,
        evidence_bytes=compared.evidence_bytes,
        receipt=receipt,
        findings=findings.listed(),
    )


def sample(seed: str, run_ids: Sequence[str], count: int) -> list[str]:
    """So many of some runs, as the seed has it, in order of their ids."""
    drawn = sorted(run_ids, key=lambda run_id: (sha256(f"{seed}\n{run_id}".encode()).digest(), run_id))
    return sorted(drawn[:count])


def _about(members: Members, findings: Findings) -> About | None:
    try:
        return About.parse(content(members, layout.ABOUT, _MAX_BYTES))
    except Invalid as refusal:
        code = "packet_altered" if layout.ABOUT in members.sizes else "file_missing"
        findings.add(code, layout.ABOUT, str(refusal))
        return None


def _numbers(members: Members, about: About | None) -> range:
    """Numbers of the ledgers: those that the packet says that it has, or else those that it has files of."""
    there = [found[0] for name in members.sizes if (found := layout.proof_of(name)) is not None]
    return range(1, 1 + (max(there, default=1) if about is None else min(about.ledgers, len(members.sizes))))


def _check_about(members: Members, about: About, compared: Compared, findings: Findings) -> None:
    """Compare what a packet says that it holds with what it holds."""
    for name, count in about.counts.items():
        found = compared.counts[name]
        if found != count:
            code = "rows_missing" if found < count else "rows_added"
            findings.add(code, layout.ABOUT, f"{found} {name}, expected {count}")
    run_ids = [run.run_id for run in about.runs]
    if run_ids != sorted(set(run_ids)):
        findings.add("packet_altered", layout.ABOUT, "a run twice, or out of order")
    for run in about.runs:
        _check_run(members, run, compared, findings)
    named = {name.split("/")[2] for name in members.sizes if name.startswith("data/runs/")}
    for run_id in sorted(named - set(run_ids)):
        findings.add("packet_altered", f"data/runs/{run_id[:16]}", "a run that the packet does not list")
    if not about.ledgers and compared.counts["requests"]:
        findings.add("not_signed", layout.ABOUT, "no ledger, expected what was signed")
    if about.sample is not None:
        _check_sample(members, about, run_ids, findings)


def _check_run(members: Members, run: Run, compared: Compared, findings: Findings) -> None:
    for name in ("record.html", "record.json"):
        if layout.run(run.run_id, name) not in members.sizes:
            findings.add("file_missing", layout.run(run.run_id, name), "no file, expected the record of a run")
    records = _listed(members, layout.run(run.run_id, "records.txt"), findings)
    if records is None:
        return
    if len(records) != run.records:
        findings.add("rows_missing", layout.run(run.run_id, "records.txt"), f"{len(records)}, expected {run.records}")
    for record in records:
        if record not in compared.records:
            findings.add("rows_missing", f"evidence {record[:80]!r}", "no row, expected one: a run rests on it")


def _check_sample(members: Members, about: About, run_ids: Sequence[str], findings: Findings) -> None:
    population = _listed(members, layout.POPULATION, findings)
    told = about.sample
    if population is None or told is None:
        return
    is_drawn = sample(told.seed, population, told.chosen) == run_ids
    if (
        population != sorted(set(population))
        or (len(population), len(run_ids)) != (told.runs, told.chosen)
        or not is_drawn
    ):
        message = f"not the {told.chosen} of {told.runs} runs that the seed has it"
        findings.add("sample_differs", layout.POPULATION, message)


def _check_policies(members: Members, compared: Compared, findings: Findings) -> None:
    for name in members.sizes:
        if name.startswith("data/policies/"):
            digest = name.removeprefix("data/policies/").removesuffix(".json")
            if bag.digest(members, name).hex() != digest:
                findings.add("file_differs", name, "not the policy with its digest")
            if f"sha256:{digest}" not in compared.policies:
                findings.add("packet_altered", name, "a policy that no record names")


def _listed(members: Members, name: str, findings: Findings) -> list[str] | None:
    """The lines of a file of ASCII."""
    try:
        *found, rest = content(members, name, _MAX_BYTES).decode("ascii").split("\n")
        if rest:
            raise Invalid("its last line has no end")
    except (Invalid, UnicodeDecodeError) as refusal:
        findings.add("packet_altered" if name in members.sizes else "file_missing", name, str(refusal))
        return None
    return found


def _signed(ledger: Ledger) -> Signed:
    checkpoint = ledger.checkpoint
    return Signed(
        origin=checkpoint.origin if checkpoint else None,
        key=str(ledger.keys[-1]) if ledger.keys else None,
        led_by=tuple(map(str, ledger.keys[:-1])),
        key_is_own=ledger.key_is_own,
        checkpoint=str(checkpoint) if checkpoint else None,
        entries=checkpoint.size if checkpoint else 0,
        compared=ledger.compared,
    )
