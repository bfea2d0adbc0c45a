"""The table of ``tagtray bench``: measured behind a progress bar, printed best first."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from tagtray.app import weights
from tagtray.cli import output, streams
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.weights.model import Model
from tagtray.worker.engines import cpu_features, selection
from tagtray.worker.engines.selection import Choice
from tagtray.worker.measure import throughput
from tagtray.worker.measure.throughput import Row
from tagtray.worker.supervision import resources

#: Called with what is being measured, and the number of turns that are over.
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An engine and precision that cannot be used here, with a sentence."""

    engine: str
    precision: str
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured and on which machine, best first."""

    processor: str
    cores: int
    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def measure(settings: Settings, batch_sizes: Sequence[int]) -> Table:
    """Measure the current model on every engine and precision that ``settings`` do not rule out.

    Raises UsageError where none is left, InfrastructureError where each of them fails.
    """
    choices, model = _choices(settings), weights.chosen(settings)
    splits = resources.splits(max(batch_sizes))
    table = Table(cpu_features.name(), resources.available_cpus())
    turns = throughput.ROUNDS * len(batch_sizes)
    _announce(len(choices) * len(splits), throughput.estimate(len(choices), len(splits), batch_sizes))
    with _bar(len(choices) * len(splits) * turns) as progress:
        for choice in choices:
            _measure(settings, model, choice, splits, batch_sizes, table, progress)
    if not table.rows:
        raise InfrastructureError(table.left_out[0].reason)
    table.rows.sort(key=lambda row: -row.images_per_second)
    return table


def write(table: Table, best: Row | None) -> None:
    """Print the table, what was left out, and the recommendation with the variables that set it."""
    columns = ["engine", "precision", "workers", "threads", "batch", "images/s", "spread"]
    output.rows(columns, [_cells(row) for row in table.rows], output.Format.TABLE)
    for left in table.left_out:
        print(f"Left out: {left.engine} in {left.precision}. {left.reason}")
    if best is None:
        print("No precision that keeps all answers could be measured; --precision int8 decides for that one.")
        return
    print(f"\nRecommended: {described(best)}: {best.images_per_second:.1f} images/s. To set it:\n")
    print(f"  export TAGTRAY_ENGINE={best.engine} TAGTRAY_PRECISION={best.precision}")
    print(f"  export TAGTRAY_WORKERS={best.workers} TAGTRAY_BATCH_SIZE={best.batch_size}\n")


def described(row: Row) -> str:
    """Engine, precision, split and batch size, as text."""
    return f"{row.engine} in {row.precision}, {split(row.workers, row.threads)}, batches of {row.batch_size}"


def split(workers: int, threads: int) -> str:
    """Workers and threads, as text."""
    return f"{_number(workers, 'worker')} of {_number(threads, 'thread')}"


def _choices(settings: Settings) -> list[Choice]:
    selection.choices(settings)  # refuses with a sentence what cannot be had here at all
    return [
        choice
        for choice in selection.available()
        if settings.engine in ("auto", choice.engine) and settings.precision in ("auto", choice.precision)
    ]


def _announce(ways: int, seconds: float) -> None:
    minutes = max(1, round(seconds / 60))
    streams.say(f"Measuring {_number(ways, 'combination')}, roughly {_number(minutes, 'minute')}.")


def _measure(
    settings: Settings,
    model: Model,
    choice: Choice,
    splits: Sequence[resources.Plan],
    batch_sizes: Sequence[int],
    table: Table,
    progress: Progress,
) -> None:
    for plan in splits:
        what = f"{choice.engine} {choice.precision}, {split(plan.workers, plan.threads)}"
        progress(what, 0)
        try:
            tick = partial(progress, what, 1)
            found = throughput.measure(settings, model, choice, plan, batch_sizes, tick)
        except InfrastructureError as error:
            left = LeftOut(choice.engine, choice.precision, str(error))
            if left not in table.left_out:
                table.left_out.append(left)
            progress(what, throughput.ROUNDS * len(batch_sizes))
        else:
            table.rows.extend(found)


@contextlib.contextmanager
def _bar(turns: int) -> Iterator[Progress]:
    bar = Bar(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        expand=True,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("", total=turns)
        yield lambda what, over: bar.update(task, description=what, advance=over)


def _cells(row: Row) -> list[str | int | float]:
    spread = 50 * (row.most - row.least) / row.images_per_second
    figures = (round(row.images_per_second, 1), f"± {spread:.0f} %")
    return [row.engine, row.precision, row.workers, row.threads, row.batch_size, *figures]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
