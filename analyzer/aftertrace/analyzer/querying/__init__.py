"""Asking in SQL: what there is to ask about, and asking within bounds."""
