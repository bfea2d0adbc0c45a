"""What alone imports the libraries that run networks; none of them reports anything to anybody."""

from __future__ import annotations

from tagtray.config import isolation

isolation.silence()
