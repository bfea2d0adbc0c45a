"""What was, or would be, done to files: counted, and each told where somebody wants to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike

from tagtray.config.text import shown


@dataclass(slots=True)
class Report:
    """``changes`` are files and what became of them; ``refusals`` sentences on those that stay as they are.

    ``absent`` photos are not there just now.
    """

    changes: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    unchanged: int = 0
    absent: int = 0

    def change(self, file: bytes | PathLike[str], what: str) -> None:
        """A file was made, replaced or removed."""
        self.changes.append((shown(file), what))

    def refuse(self, file: bytes | PathLike[str], error: Exception) -> None:
        """A file stays as it is; the error's message is a sentence from its verb on."""
        self.refusals.append(f"{shown(file)} {error}.")
