"""Many values in several statements: databases limit how many one may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

#: Values of a statement.
PAGE = 1_000

Value = TypeVar("Value")


def pages(values: Sequence[Value], size: int = PAGE) -> Iterator[Sequence[Value]]:
    """``values`` in their order, ``size`` at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))
