"""`python -m benchmarks`: what `make bench` runs."""

from benchmarks.ingest import main

main()
