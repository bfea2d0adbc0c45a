"""Damaged files without what is no pixel of them, one module to a format."""
