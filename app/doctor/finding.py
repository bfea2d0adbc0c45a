"""What a check found: whether it is as it has to be, and what to do where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing stands: ``note`` is worth knowing and stops nothing, ``wrong`` has to be mended."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check by its stable name, what it found in a few words, and what to do."""

    check: str
    state: State
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, found)


def note(check: str, found: str, advice: str = "") -> Finding:
    """Worth knowing."""
    return Finding(check, State.NOTE, found, advice)


def wrong(check: str, found: str, advice: str = "") -> Finding:
    """To be mended."""
    return Finding(check, State.WRONG, found, advice)
