"""What is different about some calls or runs."""
