"""Documents and how they are written: Markdown, HTML, and the words and links in them."""
