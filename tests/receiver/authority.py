"""A certificate authority of the tests' own."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """A certificate authority of the test's own, with files."""

    def __init__(self, folder: Path) -> None:
        """Make a root and a server's certificate for loopback."""
        self.folder = folder
        self.root = trustme.CA()
        self.roots = folder / "roots.pem"
        self.root.cert_pem.write_to_path(str(self.roots))
        self.certificate, self.key = self.issue("127.0.0.1")

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate and its key, as files."""
        issued = self.root.issue_cert(name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        return certificate, key
