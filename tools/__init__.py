"""For developers; not shipped."""

from __future__ import annotations

from tagtray.config import isolation

isolation.silence()
