"""One run as a document: its six answers, calls, findings and versions."""
