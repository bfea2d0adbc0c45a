"""The embedded model: its files, what they are (manifest) and what its classes mean (catalogue)."""

from __future__ import annotations

from pathlib import Path

#: Where the files of this package lie.
FOLDER = Path(__file__).resolve().parent
