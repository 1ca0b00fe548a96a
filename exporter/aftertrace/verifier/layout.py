"""Every file in a packet, and nothing else. It is a bag of BagIt 1.0 (RFC 8493).

::

    bagit.txt, bag-info.txt, manifest-sha256.txt, tagmanifest-sha256.txt
    README.txt                              how to check it
    receipt.tlog-proof                      that its export is in the ledger; beside the manifests, since it names them
    receipt.<entry>.rotation                an entry that names another key that signs, while the packet was made
    data/packet.json                        what it is, what it holds, and what it does not (`about`)
    data/index.html                         the page to begin with
    data/runs/<run>/record.html, .json      the run record: the page, and the same for programs
    data/runs/<run>/records.txt             `receiver/seq/index` of the records it rests on
    data/evidence/<table>.jsonl             rows of `evidence`, `spans` and `events` (`rows`)
    data/evidence/resources.jsonl, scopes.jsonl
    data/evidence/requests.jsonl            the requests that they came with, and the hashes beside them (`requests`)
    data/ledgers/<number>/checkpoint, key   what was signed; the key, which counts only if it is known from elsewhere
    data/ledgers/<number>/<entry>.tlog-proof          an entry, and its proof
    data/ledgers/<number>/<entry>.rotation            one that names another key that signs, and its proof
    data/ledgers/<number>/<size>.consistency          that it goes on from a checkpoint of so many entries
    data/policies/<digest>.json             a redaction policy that was in force
    data/configuration.json                 what else was in force
    data/population/runs.txt, near-misses.json        of a period: all its runs, and its counts
"""

from __future__ import annotations

import re
from typing import Final

TAGS: Final = ("README.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt")
"""Tag files, all but the last and the receipt, which the last does not name."""
MANIFEST: Final = "manifest-sha256.txt"
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
RECEIPT: Final = "receipt.tlog-proof"
PAYLOAD: Final = "data/"
ABOUT: Final = "data/packet.json"
INDEX: Final = "data/index.html"
REQUESTS: Final = "data/evidence/requests.jsonl"
CONFIGURATION: Final = "data/configuration.json"
POPULATION: Final = "data/population/runs.txt"
COUNTS: Final = "data/population/near-misses.json"
_PROOF: Final = re.compile(r"data/ledgers/([1-9][0-9]{0,2})/([0-9]{12,19})\.tlog-proof", re.ASCII)
_ROTATION: Final = re.compile(r"data/ledgers/([1-9][0-9]{0,2})/([0-9]{12,19})\.rotation", re.ASCII)
_CONSISTENCY: Final = re.compile(r"data/ledgers/([1-9][0-9]{0,2})/([0-9]{12,19})\.consistency", re.ASCII)
_RECEIPT_ROTATION: Final = re.compile(r"receipt\.([0-9]{12,19})\.rotation", re.ASCII)
_OTHERS: Final = re.compile(
    r"data/(?:packet\.json|index\.html|configuration\.json|evidence/(?:evidence|spans|events|resources|scopes|requests)\.jsonl"
    r"|runs/[0-9a-f]{16}/(?:record\.html|record\.json|records\.txt)|ledgers/[1-9][0-9]{0,2}/(?:checkpoint|key)"
    r"|policies/[0-9a-f]{64}\.json|population/(?:runs\.txt|near-misses\.json))",
    re.ASCII,
)


def table(name: str) -> str:
    """Where the rows of a table are."""
    return f"data/evidence/{name}.jsonl"


def run(run_id: str, name: str) -> str:
    """Where a file about a run is."""
    return f"data/runs/{run_id}/{name}"


def ledger(number: int, name: str) -> str:
    """Where a file of a ledger is; ledgers count from 1."""
    return f"data/ledgers/{number}/{name}"


def proof(number: int, index: int) -> str:
    """Where the proof of an entry is."""
    return ledger(number, f"{index:012d}.tlog-proof")


def rotation(number: int, index: int) -> str:
    """Where the proof of an entry is that names another key that signs."""
    return ledger(number, f"{index:012d}.rotation")


def receipt_rotation(index: int) -> str:
    """Where the proof of one is that came between the packet's checkpoint and its receipt."""
    return f"receipt.{index:012d}.rotation"


def consistency(number: int, size: int) -> str:
    """Where the proof is that a ledger goes on from its first entries."""
    return ledger(number, f"{size:012d}.consistency")


def policy(digest: str) -> str:
    """Where a policy with a tagged digest is."""
    return f"data/policies/{digest.removeprefix('sha256:')}.json"


def proof_of(name: str) -> tuple[int, int] | None:
    """The inverse of `proof`; None for another name."""
    return _parsed(_PROOF, name)


def rotation_of(name: str) -> tuple[int, int] | None:
    """The inverse of `rotation`; None for another name."""
    return _parsed(_ROTATION, name)


def receipt_rotation_of(name: str) -> int | None:
    """The inverse of `receipt_rotation`; None for another name."""
    match = _RECEIPT_ROTATION.fullmatch(name)
    return int(match[1]) if match is not None and receipt_rotation(int(match[1])) == name else None


def is_of_receipt(name: str) -> bool:
    """Whether a file tells of the export, and so is in no manifest."""
    return name == RECEIPT or receipt_rotation_of(name) is not None


def consistency_of(name: str) -> tuple[int, int] | None:
    """The inverse of `consistency`; None for another name."""
    return _parsed(_CONSISTENCY, name)


def is_known(name: str) -> bool:
    """Whether a file of the payload is one that packets have."""
    numbered = proof_of(name) or rotation_of(name) or consistency_of(name)
    return numbered is not None or _OTHERS.fullmatch(name) is not None


def _parsed(pattern: re.Pattern[str], name: str) -> tuple[int, int] | None:
    match = pattern.fullmatch(name)
    if match is None:
        return None
    number, value = int(match[1]), int(match[2])
    return (number, value) if name.rpartition("/")[2].partition(".")[0] == f"{value:012d}" else None
