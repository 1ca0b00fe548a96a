"""`python -m aftertrace.store.verify`: reads and hashes files for a process that verifies."""

from __future__ import annotations

import sys

from aftertrace.store import processes
from aftertrace.store.verify.hashing import hashed

processes.serve(hashed, sys.argv[1:])
