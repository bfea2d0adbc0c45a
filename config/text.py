"""File names, other people's text and counts, as they stand in messages, terminals and log lines."""

from __future__ import annotations

import os
import re
import unicodedata

_BREAKS = re.compile(r"[\s_'’.,-]+")


def shown(text: str | bytes | os.PathLike[str]) -> str:
    """``text`` on one line: what cannot be printed is escaped, bytes that are not UTF-8 as ``\\xff``."""
    text = os.fspath(text)
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def one_line(text: str) -> str:
    """``text`` as ``shown``, with every run of blanks and line breaks made one blank first."""
    return shown(" ".join(text.split()))


def plain(text: str) -> str:
    """``text`` as names are compared: without regard to case, width, hyphens and apostrophes."""
    return _BREAKS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def counted(number: int, thing: str) -> str:
    """A number with what it counts: 1 image, 1,234 images."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _escaped(char: str) -> str:
    # Python decodes the byte 0xff of a file name as U+DCFF (PEP 383).
    is_byte = "\udc80" <= char <= "\udcff"
    return f"\\x{ord(char) & 0xFF:02x}" if is_byte else ascii(char)[1:-1]
