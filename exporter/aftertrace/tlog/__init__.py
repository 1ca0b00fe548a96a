"""Transparency logs: Merkle trees, proofs, tiles, signed notes and checkpoints. Pure maths over bytes, no I/O."""
