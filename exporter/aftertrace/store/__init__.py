"""The store: WAL, tables and fsck. Disk, and nothing but disk: no network, no analysis."""
