"""The picture of ``tagtray stats --plot``: what photos show, when they were taken, how sure the model is."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tagtray.config.errors import UsageError
from tagtray.config.text import shown
from tagtray.db.collection import Collection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inches of the picture, and its pixels for each of them.
SIZE, DPI = (11.0, 7.5), 150
#: Inches around each part.
PAD = 0.12
#: Categories that have a bar.
CATEGORIES = 15
#: Months that have a bar each; a longer time has one for each year.
MONTHS = 120
FORMATS = (".png", ".svg")

_BLUE, _GREY, _INK = "#3b6fb5", "#c9ced6", "#2b2f36"


def check(target: Path) -> None:
    """Raise UsageError, before anything is counted, where the picture cannot be drawn or written."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("The picture needs the extra: pip install 'tagtray[plot]'.")
    if target.suffix.lower() not in FORMATS:
        raise UsageError(f"{shown(target)} is neither a .png nor an .svg.")
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"{shown(target)} cannot be written: it is a folder, or its folder does not exist.")


def draw(found: Collection, target: Path) -> None:
    """Write the picture; raises UsageError."""
    # Here, not above: matplotlib is an extra, which `check` has asked for.
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with rc_context({"font.size": 10, "text.color": _INK, "axes.edgecolor": _GREY, "text.parse_math": False}):
        figure = Figure(SIZE, layout=ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD))
        parts = figure.subplot_mosaic([["what", "when"], ["what", "sure"]], width_ratios=[1, 1.35])
        _categories(parts["what"], found)
        _timeline(parts["when"], found)
        _scores(parts["sure"], found)
        for axes in parts.values():
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(length=0, colors=_INK)
        figure.suptitle(f"{found.states['done']:,} photos", fontsize=16, fontweight="bold")
        try:
            figure.savefig(target, dpi=DPI, format=target.suffix.lower().lstrip("."))
        except OSError as error:
            raise UsageError(f"{shown(target)} cannot be written: {error.strerror}.") from error


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontweight="bold")


def _scale(axes: Axes) -> None:
    """A vertical scale of photos, with a line at each of its marks behind the bars."""
    axes.yaxis.set_major_formatter(lambda photos, _: f"{photos:,.0f}")
    axes.grid(axis="y", color=_GREY, alpha=0.5)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)


def _categories(axes: Axes, found: Collection) -> None:
    top = found.categories[:CATEGORIES]
    bars = axes.barh([c.category for c in top], [c.photos for c in top], 0.72, color=_BLUE)
    axes.bar_label(bars, [f"{c.photos:,}" for c in top], padding=4, fontsize="small")
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.16, y=0.01)
    _title(axes, "What they show")


def _timeline(axes: Axes, found: Collection) -> None:
    names, counts = _periods(found)
    axes.bar(range(len(names)), counts, 0.9, color=_BLUE)
    firsts = [at for at, name in enumerate(names) if len(name) == 4 or name.endswith("-01") or at == 0]
    marks = firsts[:: 1 + len(firsts) // 13]
    axes.set_xticks(marks, [names[at] if len(names) < 13 else names[at][:4] for at in marks])
    _scale(axes)
    unit = "month" if names and len(names[0]) > 4 else "year"
    _title(axes, f"When they were taken, by {unit}")
    if found.undated:
        axes.set_xlabel(f"{found.undated:,} more say no date", loc="right", fontsize="small")


def _periods(found: Collection) -> tuple[Sequence[str], Sequence[int]]:
    """Every month from the first to the last, or every year, with its photos."""
    photos = {month.month: month.photos for month in found.months}
    if not photos:
        return [], []
    first, last = (_number(month) for month in (min(photos), max(photos)))
    if last - first < MONTHS:
        names = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1)]
        return names, [photos.get(name, 0) for name in names]
    years = [f"{year:04}" for year in range(first // 12, last // 12 + 1)]
    return years, [sum(count for month, count in photos.items() if month[:4] == year) for year in years]


def _number(month: str) -> int:
    """Months since the year 0."""
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _scores(axes: Axes, found: Collection) -> None:
    lefts = [b.from_score for b in found.scores]
    width = found.scores[0].to_score
    axes.bar(lefts, [b.photos for b in found.scores], width * 0.9, align="edge", color=_BLUE)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda score, _: f"{score:.0%}")
    _scale(axes)
    _title(axes, "How sure the model is of the first label")
