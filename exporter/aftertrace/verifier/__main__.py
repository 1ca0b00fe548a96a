"""``python -m aftertrace.verifier``, which is ``aftertrace-verify``."""

import sys

from aftertrace.verifier.command import main

sys.exit(main())
