"""BagIt: the digest of every file, in files of their own.

It finds accidents. Whoever edits a packet can edit these too: what is proven is so by the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.verifier import layout
from aftertrace.verifier.members import Members, checked_name, content
from aftertrace.verifier.verdicts import Findings

DECLARATION: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_MAX_BYTES: Final = 64 << 20
_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S+)")


def manifest(digests: Mapping[str, bytes]) -> bytes:
    """A manifest of files, by name."""
    return "".join(f"{digests[name].hex()}  {name}\n" for name in sorted(digests)).encode()


def parse_manifest(told: bytes, what: str) -> dict[str, bytes]:
    """The inverse of `manifest`.

    Raises:
        Invalid: it is none, or not written in that way.
    """
    found: dict[str, bytes] = {}
    for line in told.decode("ascii", "replace").split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise Invalid(f"read {what}: a line that is none of digest and name")
        found[checked_name(match[2])] = bytes.fromhex(match[1])
    if manifest(found) != told:
        raise Invalid(f"read {what}: not as aftertrace writes it: names once and in order, a line each")
    return found


def digest(members: Members, name: str) -> bytes:
    """SHA-256 of a file. Raises `Invalid` where it cannot be read."""
    hashed = sha256()
    for chunk in members.chunks(name):
        hashed.update(chunk)
    return hashed.digest()


def check(members: Members, findings: Findings) -> None:
    """Compare every file with its digest."""
    tags = _listed(members, layout.TAG_MANIFEST, findings)
    if tags is not None and tuple(tags) != layout.TAGS:
        findings.add("bag_altered", layout.TAG_MANIFEST, f"names other files, expected {', '.join(layout.TAGS)}")
    payload = _listed(members, layout.MANIFEST, findings)
    named = {**(payload or {}), **(tags or {})}
    has_receipt = layout.RECEIPT in members.sizes
    for name in sorted(named.keys() | members.sizes.keys()):
        # What leads to the receipt is proven with it, and so with none by nothing.
        if name == layout.TAG_MANIFEST or (has_receipt and layout.is_of_receipt(name)):
            continue
        if name not in members.sizes:
            findings.add("file_missing", name, "no file, expected the one that the manifest names")
            continue
        is_payload = name.startswith(layout.PAYLOAD)
        expected = payload if is_payload else tags
        if is_payload and not layout.is_known(name):
            findings.add("bag_altered", name, "no file of a packet, expected none")
        elif expected is None:
            continue
        elif name not in expected:
            findings.add("bag_altered", name, "a file that no manifest names, expected none")
        elif _digest(members, name) != expected[name]:
            findings.add("file_differs", name, "other bytes than its manifest has the digest of")
    _check_declaration(members, findings)


def _check_declaration(members: Members, findings: Findings) -> None:
    try:
        if content(members, "bagit.txt", _MAX_BYTES) != DECLARATION:
            findings.add("bag_altered", "bagit.txt", "another declaration, expected that of BagIt 1.0")
    except Invalid:
        # Told already, by its manifest or its absence.
        if "bagit.txt" not in members.sizes:
            findings.add("file_missing", "bagit.txt", "no file, expected a bag of BagIt 1.0")


def _digest(members: Members, name: str) -> bytes | None:
    try:
        return digest(members, name)
    except Invalid:
        return None


def _listed(members: Members, name: str, findings: Findings) -> dict[str, bytes] | None:
    try:
        return parse_manifest(content(members, name, _MAX_BYTES), name)
    except Invalid as refusal:
        code = "bag_altered" if name in members.sizes else "file_missing"
        findings.add(code, name, str(refusal))
        return None
