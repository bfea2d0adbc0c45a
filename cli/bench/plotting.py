"""The chart of ``tagtray bench --plot``: bars of images/s, one colour for each split of the cores."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from tagtray.cli.bench.report import Table, split
from tagtray.config.errors import UsageError
from tagtray.worker.measure.throughput import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inches of the chart's width, of a bar, and of title and axis together.
WIDTH, BAR, FRAME = 8.0, 0.3, 1.6


def check(target: Path) -> None:
    """Raise UsageError, before anything is measured, where the chart cannot be drawn or written."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("The chart needs the extra: pip install 'tagtray[plot]'.")
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"{target} cannot be written: it is a folder, or its folder does not exist.")


def draw(table: Table, target: Path) -> None:
    """Write the PNG: engines and precisions best first, the best batch of each split. Raises UsageError."""
    # Here, not above: matplotlib is an extra, which `check` has asked for.
    from matplotlib.figure import Figure

    best = _best(table.rows)
    groups = list(dict.fromkeys((row.engine, row.precision) for row in best))
    splits = sorted({(row.workers, row.threads) for row in best}, reverse=True)
    figure = Figure((WIDTH, FRAME + BAR * len(groups) * (len(splits) + 1)), layout="constrained")
    axes = figure.subplots()
    for number, (workers, threads) in enumerate(splits):
        rows = [row for row in best if row.workers == workers]
        places = [
            groups.index((row.engine, row.precision)) + (number + 0.5) / (len(splits) + 1) for row in rows
        ]
        _bars(axes, rows, places, 1 / (len(splits) + 1), split(workers, threads))
    middle = len(splits) / (len(splits) + 1) / 2
    axes.set_yticks([n + middle for n in range(len(groups))], [" ".join(group) for group in groups])
    axes.invert_yaxis()
    axes.set_xlabel(f"images/s of {table.cores} cores, forward alone (median; least and most)")
    axes.set_title(table.processor)
    axes.margins(x=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(splits))
    try:
        figure.savefig(target, format="png", dpi=150)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from error


def _best(rows: list[Row]) -> list[Row]:
    """The best batch of each engine, precision and split; rows come best first."""
    found: dict[tuple[str, str, int], Row] = {}
    for row in rows:
        found.setdefault((row.engine, row.precision, row.workers), row)
    return list(found.values())


def _bars(axes: Axes, rows: list[Row], places: list[float], height: float, label: str) -> None:
    rates = [row.images_per_second for row in rows]
    below = [row.images_per_second - row.least for row in rows]
    above = [row.most - row.images_per_second for row in rows]
    bars = axes.barh(places, rates, 0.9 * height, xerr=[below, above], label=label, capsize=2)
    texts = [f"{row.images_per_second:.1f} (batch {row.batch_size})" for row in rows]
    axes.bar_label(bars, texts, padding=4, fontsize="small")
