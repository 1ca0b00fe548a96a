"""The `aftertrace` command."""
