"""Text that may stand on a terminal."""

from __future__ import annotations


def shown(text: str) -> str:
    """A name or a sentence on one line: what cannot be printed is escaped."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
