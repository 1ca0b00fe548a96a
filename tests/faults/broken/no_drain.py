"""No fault: `serve` without its drain, for tests of what comes before it."""

import sys

if "serve" in sys.orig_argv:
    from aftertrace.cli.children import Child

    _start = Child.start

    def _start_others(self: Child) -> None:
        """Start it unless it is the drain."""
        if self.name != "drain":
            _start(self)

    Child.start = _start_others
