"""The rows of a packet against the ledgers: each field of each row, or it is told which."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeAlias

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.subsets import root_from_subset
from aftertrace.verifier import layout
from aftertrace.verifier.ledgers import Ledger, batch
from aftertrace.verifier.lines import MAX_LINE_BYTES, line, member, parse
from aftertrace.verifier.members import Members, lines
from aftertrace.verifier.requests import Request
from aftertrace.verifier.rows import TABLES, Row, bytes_of, bytes_text, parse_row
from aftertrace.verifier.verdicts import Findings

ORIGINS: Final = {"resources": "resource_digest", "scopes": "scope_digest"}
"""What records have in common, and the column of `evidence` that names a row of each."""
_Shown: TypeAlias = tuple[list[int], list[bytes]]
"""Places and leaves of the rows of a request in a table."""
_LENGTH: Final = struct.Struct("<I")


@dataclass(slots=True)
class Compared:
    """What was found in the files of a packet."""

    counts: dict[str, int] = field(default_factory=dict)
    """By `about.COUNTED`."""
    records: set[str] = field(default_factory=set)
    """`receiver/seq/index` of the records that are shown."""
    policies: set[str] = field(default_factory=set)
    """Digests of the policies that were in force."""
    evidence_bytes: int = 0
    proven: int = 0
    """Requests whose rows are as a ledger has them."""
    withheld: int = 0
    """Records of these requests that are not shown."""


def origin_line(message: bytes, schema_url: str) -> str:
    """A resource or scope as a line."""
    told = {"bytes": bytes_text(message), "digest": origin_digest(message, schema_url), "schema_url": schema_url}
    return line(told)


def origin_digest(message: bytes, schema_url: str) -> str:
    """Tagged digest of a Resource or InstrumentationScope message with its schema URL."""
    url = schema_url.encode()
    return "sha256:" + sha256(_LENGTH.pack(len(url)) + url + message).hexdigest()


def compare(members: Members, ledgers: Sequence[Ledger], findings: Findings) -> Compared:
    """Compare all rows of a packet with what its ledgers have of them."""
    found = Compared()
    named: dict[str, set[str]] = {table: set() for table in ORIGINS}
    shown: dict[tuple[str, int], dict[str, _Shown]] = {}
    for table in TABLES:
        count = 0
        for row in _rows(members, table, findings):
            count += 1
            places, leaves = shown.setdefault(row.request, {}).setdefault(table, ([], []))
            places.append(row.position)
            leaves.append(row.leaf)
            if table == "evidence":
                _take(found, named, row)
            elif row.record not in found.records:
                findings.add("rows_added", f"{table} {row.record}", "a row of a record that is not shown")
        found.counts[table] = count
    requests = list(_requests(members, findings))
    found.counts["requests"] = len(requests)
    for request in requests:
        _check(members, ledgers, request, shown.pop((request.receiver, request.seq), {}), found, findings)
    for receiver, seq in shown:
        findings.add("rows_added", f"{receiver}/{seq}", "rows of a request that the packet does not list")
    for table, digests in named.items():
        found.counts[table] = _origins(members, table, digests, findings)
    return found


def _take(found: Compared, named: dict[str, set[str]], row: Row) -> None:
    found.records.add(row.record)
    record = row.values.get("record", b"")
    found.evidence_bytes += len(record) if isinstance(record, bytes) else 0
    for table, column in ORIGINS.items():
        named[table].add(str(row.values.get(column, "")))
    if "policy_digest" in row.values:
        found.policies.add(str(row.values["policy_digest"]))


def _rows(members: Members, table: str, findings: Findings) -> Iterator[Row]:
    """The rows of a file, in order; nothing behind the first that is none, or stands where it should not."""
    where, number = layout.table(table), 0
    last: tuple[str, int, int, int] | None = None
    try:
        for each in lines(members, where, MAX_LINE_BYTES):
            number += 1
            row = parse_row(table, each)
            place = (row.receiver, row.seq, row.index, row.ordinal)
            if last is not None and place <= last:
                raise Invalid("a row twice, or out of order")
            last = place
            yield row
    except Invalid as refusal:
        code = "file_missing" if where not in members.sizes else "packet_altered"
        findings.add(code, f"{where} line {number}" if number else where, str(refusal))


def _requests(members: Members, findings: Findings) -> Iterator[Request]:
    number, last = 0, ("", -1)
    try:
        for each in lines(members, layout.REQUESTS, MAX_LINE_BYTES):
            number += 1
            request = Request.parse(each)
            if (request.receiver, request.seq) <= last:
                raise Invalid("a request twice, or out of order")
            last = request.receiver, request.seq
            yield request
    except Invalid as refusal:
        code = "file_missing" if layout.REQUESTS not in members.sizes else "packet_altered"
        findings.add(code, f"{layout.REQUESTS} line {number}" if number else layout.REQUESTS, str(refusal))


def _check(
    members: Members,
    ledgers: Sequence[Ledger],
    request: Request,
    shown: dict[str, _Shown],
    found: Compared,
    findings: Findings,
) -> None:
    """Compare the rows of a request with the roots in its entry."""
    where = f"{request.receiver}/{request.seq}"
    if not shown:
        findings.add("rows_missing", where, "no rows of a request that the packet lists, expected some")
    if request.place is None:
        findings.add("uncovered", where, f"nothing is proven of its rows: {request.unproven}")
        return
    ledger = next((each for each in ledgers if each.number == request.place.ledger), None)
    if ledger is None:
        findings.add("packet_altered", where, f"in ledger {request.place.ledger}, which the packet has not")
        return
    if ledger.checkpoint is None:
        # That nothing is signed was told.
        return
    told = batch(members, ledger, request.place.entry, findings)
    if told is None:
        return
    expected = told.requests.get(request.seq) if told.receiver == request.receiver else None
    if expected is None:
        findings.add("rows_differ", where, f"entry {request.place.entry} says nothing of it, expected its rows")
        return
    is_right = True
    for table, (places, leaves) in shown.items():
        size, root = expected[table]
        try:
            if root_from_subset(places, leaves, size, request.place.hashes.get(table, ())) == root:
                continue
            refusal = "rows or hashes are others than were stored"
        except Invalid as none:
            refusal = str(none)
        is_right = False
        findings.add("rows_differ", f"{table} {where}", refusal)
    if not request.place.hashes.keys() <= shown.keys():
        findings.add("rows_missing", where, "hashes beside rows that are not there")
    if is_right:
        found.proven += 1
        found.withheld += expected["evidence"][0] - len(shown.get("evidence", ([], []))[0])


def _origins(members: Members, table: str, named: set[str], findings: Findings) -> int:
    """Check the resources or scopes that records name; returns how many there are."""
    where, number, last = layout.table(table), 0, ""
    there: set[str] = set()
    try:
        for number, each in enumerate(lines(members, where, MAX_LINE_BYTES), 1):
            told = parse(each, table)
            digest = member(told, "digest", str, table)
            message = bytes_of(member(told, "bytes", str, table), table)
            if origin_line(message, member(told, "schema_url", str, table)).encode() != each:
                findings.add("origin_differs", f"{where} line {number}", "not the one with its digest")
            if digest <= last:
                raise Invalid("one twice, or out of order")
            last = digest
            there.add(digest)
    except (Invalid, UnicodeEncodeError) as refusal:
        code = "file_missing" if where not in members.sizes else "packet_altered"
        findings.add(code, f"{where} line {number}" if number else where, str(refusal))
    for digest in sorted(named - there):
        findings.add("origin_missing", where, f"none with the digest {digest[:80]!r} that records name")
    for digest in sorted(there - named):
        findings.add("rows_added", where, f"one that no record names: {digest[:80]!r}")
    return len(there)
