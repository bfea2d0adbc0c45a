"""The tables of ``docs/accuracy.md``, from what ``benchmarks.accuracy`` wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tools.performance_page import read, table

#: Photos of a category from which it has a row of its own.
FEWEST = 4
#: Rows of the first table: words, and the figure of a model.
ROWS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("the right label is the first one (Top-1)", lambda found: _percent(found["top1"])),
    ("the right label is among the three (Top-3)", lambda found: _percent(found["top3"])),
    ("a first label with a score from 0.5 is right", lambda found: _band(found["labels"][0])),
    ("a first label with a score from 0.7 is right", lambda found: _band(found["labels"][1])),
    ("a first label with a score from 0.9 is right", lambda found: _band(found["labels"][2])),
    ("a shown tag is right (precision)", lambda found: _percent(found["tags"]["precision"])),
    ("a true tag is shown (recall)", lambda found: _percent(found["tags"]["recall"])),
    ("photos with a shown tag (coverage)", lambda found: _percent(found["tags"]["photos"] / found["photos"])),
    ("least threshold for 90 % of the shown tags", lambda found: str(found["thresholds"]["overall"])),
)


def summary() -> str:
    """Labels and shown tags of each model."""
    figures = read("accuracy")["figures"]
    rows = [(words, *(figure(found) for found in figures.values())) for words, figure in ROWS]
    return table(("", *(f"`{name}`" for name in figures)), rows)


def thresholds() -> str:
    """Precision and recall of the shown tags, by the score from which they are shown."""
    figures = read("accuracy")["figures"]
    bands = zip(*(found["bands"] for found in figures.values()), strict=True)
    rows = [(str(row[0]["min_score"]), *map(_rates, row)) for row in bands]
    return table(("shown from", *(f"`{name}`" for name in figures)), rows)


def categories() -> str:
    """Each category with some photos: shown, right, and the threshold that is proposed."""
    figures = read("accuracy")["figures"]
    of = [{one["name"]: one for one in found["categories"]} for found in figures.values()]
    shown = [one for one in next(iter(of)).values() if one["true"] >= FEWEST]
    rows = [
        (first["name"], str(first["true"]), *(_category(found.get(first["name"])) for found in of))
        for first in shown
    ]
    return table(("category", "photos", *(f"`{name}`" for name in figures)), rows)


def _category(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "0 / 0"
    own = f", {one['proposed']}" if one["proposed"] is not None else ""
    return f"{one['right']} / {one['shown']}{own}"


def _rates(band: Mapping[str, Any]) -> str:
    return f"{_percent(band['precision'])}, {_percent(band['recall'])}, {band['photos']}"


def _band(band: Mapping[str, Any]) -> str:
    return f"{_percent(band['precision'])} of {band['shown']}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
