"""``tagtray stats``: the collection in figures, for people, for programs and as a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import collection_plot, options, output
from tagtray.config import isolation
from tagtray.config.text import shown
from tagtray.db import collection
from tagtray.db.collection import Collection

#: Lines of a list for people; --json has all.
LINES = 12
#: Characters of the longest bar.
BAR = 40


def stats(
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png|svg", help="Draw categories, months and scores.", show_default=False),
    ] = None,
    json: options.Json = False,
) -> None:
    """Count photos by category and month, the scores of their labels, and the failures."""
    settings = startup.load()
    if plot is not None:
        isolation.keep_in(settings.home)  # before matplotlib is imported
        collection_plot.check(plot)
    with bootstrap.reading(settings) as database:
        found = collection.load(database)
    if json:
        print(output.json_text(dataclasses.asdict(found)))
    else:
        _print(found)
    if plot is not None:
        collection_plot.draw(found, plot)


def _print(found: Collection) -> None:
    states = (f"{count:,} {state}" for state, count in found.states.items() if count)
    print(f"{sum(found.states.values()):,} photos: {', '.join(states) or 'none yet'}")
    categories = [(f"{c.category} {c.category_zh}".strip(), c.photos) for c in found.categories]
    _list("Categories", categories[:LINES], len(categories))
    months = [(month.month, month.photos) for month in reversed(found.months)]
    months += [("no date", found.undated)] if found.undated else []
    _list("Months", months[:LINES], len(months))
    bins = [(f"{b.from_score:.0%} - {b.to_score:.0%}", b.photos) for b in reversed(found.scores) if b.photos]
    _list("Scores of the first labels", bins, len(bins))
    _list("Failures", [(f.error_code, f.photos) for f in found.failures], len(found.failures))


def _list(title: str, rows: Iterable[tuple[str, int]], total: int) -> None:
    rows = list(rows)
    if not rows:
        return
    typer.secho(f"\n{title}", bold=True)
    most = max(photos for _, photos in rows)
    width = max(map(_width, (name for name, _ in rows)))
    for name, photos in rows:
        bar = "▇" * round(BAR * photos / most)
        print(f"  {shown(name)}{' ' * (width - _width(name))} {photos:>9,}  {bar}".rstrip())
    if total > len(rows):
        print(f"  and {total - len(rows):,} more; --json has all")


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(1 + (char >= "\u2e80") for char in text)
