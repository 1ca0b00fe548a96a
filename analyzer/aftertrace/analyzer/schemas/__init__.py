"""What is derived: every table and column, and the order of rows."""
