"""What is asked of the stored tables: rows, filters, SQL."""
