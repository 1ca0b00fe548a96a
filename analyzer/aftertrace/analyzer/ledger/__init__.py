"""How far what is stored is signed, and verifying it, for those who ask the analyzer and never the store."""
