"""How long records are kept, and destroying those that are over: recorded and signed first, and gone from the disk."""
