"""Models as values: what ships, what the user added, and what their classes mean."""

from __future__ import annotations

from pathlib import Path

#: Where the models that ship lie.
FOLDER = Path(__file__).resolve().parent
