"""`python -m aftertrace.cli`: how the command starts processes of its own."""

from aftertrace.cli import main

main()
