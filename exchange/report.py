"""What was, or would be, done to files: counted, and each told where somebody wants to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike

from tagtray.config.text import shown


@dataclass(slots=True)
class Report:
    """``changes`` are files and what became of them; ``refusals`` those that stay as they are, and why.

    A reason is a sentence from its verb on, without a full stop; ``absent`` photos are not there just now.
    """

    changes: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0
    absent: int = 0

    def change(self, file: bytes | PathLike[str], what: str) -> None:
        """A file was made, replaced or removed."""
        self.changes.append((shown(file), what))

    def refuse(self, file: bytes | PathLike[str], error: Exception) -> None:
        """A file stays as it is; the error's message is the reason."""
        self.refusals.append((shown(file), str(error)))
