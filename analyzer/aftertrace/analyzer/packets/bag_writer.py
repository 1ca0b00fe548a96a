"""A packet while it is made: files in a folder that nobody else reads, then the manifests over them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

from aftertrace.verifier import archive, bag, layout
from aftertrace.verifier.members import Folder

README: Final = """\
This is a packet of aftertrace: evidence of what AI agents did, with proofs that it is what was stored.
Begin with data/index.html. It is a bag of BagIt 1.0 (RFC 8493), so other tools can check that it is whole.

To check what is in it, you need two things from elsewhere, since whoever made this packet could have put in others:

- the public key of the store that it is from (data/ledgers/1/key is what it should be equal to);
- aftertrace-verify, of the Python package aftertrace: pip install 'aftertrace[verify]'

    aftertrace-verify PACKET --key KEY

It says whether all records are those that were received, down to each field, and signed by that key. It does not say
that nothing else was stored, nor that those who sent the records told the truth.
"""


class BagWriter:
    """A bag that is written to a folder."""

    def __init__(self, folder: Path) -> None:
        """Write to an empty folder."""
        self._folder = folder

    def add(self, name: str, content: bytes) -> None:
        """Write a file."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[str]]:
        """Write a file of ASCII piece by piece."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="ascii", newline="\n") as file:
            yield file

    def finish(self, identifier: str, software: str) -> bytes:
        """Write manifests and tag files, all but the receipt.

        Returns:
            The digest of the last manifest, from which all of the packet follows.
        """
        members = Folder(self._folder)
        payload = {name: bag.digest(members, name) for name in members.sizes}
        oxum = f"{sum(members.sizes.values())}.{len(payload)}"
        told = {"Bag-Software-Agent": software, "External-Identifier": identifier, "Payload-Oxum": oxum}
        tags = {
            "README.txt": README.encode(),
            "bag-info.txt": "".join(f"{name}: {value}\n" for name, value in told.items()).encode(),
            "bagit.txt": bag.DECLARATION,
            layout.MANIFEST: bag.manifest(payload),
        }
        for name, content in tags.items():
            self.add(name, content)
        last = bag.manifest({name: sha256(content).digest() for name, content in tags.items()})
        self.add(layout.TAG_MANIFEST, last)
        return sha256(last).digest()

    def write_archive(self, path: Path) -> None:
        """Write it to one file.

        Raises:
            Invalid: it is too long for one.
            OSError: the disk does not take it.
        """
        members = Folder(self._folder)
        draft = path.with_name(f".{path.name}.new")
        try:
            with draft.open("xb") as file:
                archive.write(file, ((name, partial(members.chunks, name)) for name in members.sizes))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def write_folder(self, path: Path) -> None:
        """Copy it to a folder that is not there yet.

        Raises:
            OSError: the disk does not take it.
        """
        shutil.copytree(self._folder, path)
