"""What changed in systems of record, and where calls, approvals and effects do not agree."""
