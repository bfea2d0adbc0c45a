"""File names as text that any database and any terminal can hold.

Linux names are bytes. One that is valid UTF-8 is stored as it is; in any other, each foreign byte
becomes U+FFFD and its two hex digits, and so does a real U+FFFD: no two names share a text.
"""

from __future__ import annotations

_MARK = "\ufffd"

#: Bytes of a path's text that an index entry of PostgreSQL holds beside the root (2,704 in all).
MAX_TEXT_BYTES = 2_600
#: Bytes of text that one byte of a name becomes at most.
_GROWTH = 5


def to_text(raw: bytes) -> tuple[str, bytes | None]:
    """``(path, path_raw)`` of the relative name ``raw``; path_raw is None where the text says it all."""
    try:
        text = raw.decode("utf-8")
        if _MARK not in text:
            return text, None
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "surrogateescape")
    return "".join(_escaped(char) for char in text), raw


def to_bytes(path: str, path_raw: bytes | None) -> bytes:
    """The name on disk of a stored path."""
    return path_raw if path_raw is not None else path.encode()


def readable(file: bytes) -> str:
    """A path on disk as text for people and for JSON; what is no UTF-8 becomes ``\\xNN``."""
    return file.decode("utf-8", "backslashreplace")


def _escaped(char: str) -> str:
    if char == _MARK or "\udc80" <= char <= "\udcff":
        return "".join(f"{_MARK}{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
    return char


def from_text(path: str) -> bytes:
    """The name that ``to_text`` made ``path`` of."""
    head, *tail = path.split(_MARK)
    return head.encode() + b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in tail)


def fits(raw: bytes) -> bool:
    """Whether the ledger can hold the name on either database."""
    return len(raw) * _GROWTH <= MAX_TEXT_BYTES or len(to_text(raw)[0].encode()) <= MAX_TEXT_BYTES


def is_below(path: bytes, folder: bytes) -> bool:
    """Whether ``path`` lies in ``folder``, at any depth; both are absolute, or relative to one root."""
    return path.startswith(folder.rstrip(b"/") + b"/")
