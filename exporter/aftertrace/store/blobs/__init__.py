"""Large content by reference: encrypted blobs beside the tables, each named by a keyed digest of what it holds."""
