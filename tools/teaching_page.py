"""The tables of ``docs/how-to/teach.md``, from what ``benchmarks.own_tags`` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.performance_page import read, table


def promises() -> str:
    """What is right and what was promised, by the number of examples."""
    columns = ("examples", "right", "promised", "missed by more than 10 points", "found")
    rows = [(count, *_figures(found)) for count, found in read("own_tags")["examples"].items()]
    return table(columns, rows)


def kinds() -> str:
    """What is right and what is found of each kind of photo, by the number of examples."""
    examples = read("own_tags")["examples"]
    first = next(iter(examples.values()))["kinds"]
    rows = [(kind, *(_rates(found["kinds"][kind]) for found in examples.values())) for kind in first]
    return table(("right / found", *(f"{count} examples" for count in examples)), rows)


def _figures(found: Mapping[str, Any]) -> tuple[str, ...]:
    mean = found["mean"]
    return (
        _percent(mean["precision"]),
        _percent(mean["promised"]),
        f"{found['missed']:.1%} of the lessons".replace("%", " %"),
        _percent(mean["recall"]),
    )


def _rates(mean: Mapping[str, Any]) -> str:
    return f"{_percent(mean['precision'])} / {_percent(mean['recall'])}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}".replace("%", " %")
