"""How many images per second this machine classifies, by engine, precision, split of its cores and batch."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tagtray.config.settings import Settings
from tagtray.weights.model import Model
from tagtray.worker.engines.selection import Choice
from tagtray.worker.measure import pool
from tagtray.worker.measure.pool import Probes
from tagtray.worker.supervision.resources import Plan

#: Rounds in which every batch size has its turn, and seconds of a turn at least.
ROUNDS, TURN_SECONDS = 3, 0.5
#: Images per second and core, and seconds until the network is loaded, for the estimate alone.
GUESS_RATE, GUESS_LOAD_SECONDS = 25.0, 5.0
#: Part of the best figure within which another one is as good.
TIE = 0.03
#: Precisions that may be recommended unasked: int8 changes some answers.
UNASKED = ("fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Row:
    """Images per second of the whole machine, decode not included: median, least and most of the rounds."""

    engine: str
    precision: str
    workers: int
    threads: int
    batch_size: int
    images_per_second: float
    least: float
    most: float


def estimate(choices: int, splits: int, batch_sizes: Sequence[int]) -> float:
    """Seconds that it will take, roughly."""
    turns = sum(max(TURN_SECONDS, size / GUESS_RATE) for size in batch_sizes)
    return choices * splits * (GUESS_LOAD_SECONDS + (ROUNDS + 1) * turns)


def measure(
    settings: Settings,
    model: Model,
    choice: Choice,
    plan: Plan,
    batch_sizes: Sequence[int],
    tick: Callable[[], None],
) -> list[Row]:
    """One row for each batch size; ``tick`` is called after each turn, ``ROUNDS`` of each size.

    Raises InfrastructureError where the engine does not start or its answers are wrong.
    """
    how = {"engine": choice.engine, "precision": choice.precision, "batch_size": max(batch_sizes)}
    with pool.running(settings.model_copy(update=how), model, plan) as started:
        found = _rounds(started, batch_sizes, tick)
    return [
        Row(choice.engine, choice.precision, plan.workers, plan.threads, size, *_figures(found[size]))
        for size in batch_sizes
    ]


def recommend(rows: Sequence[Row]) -> Row | None:
    """The fastest; of those that are as fast, the one with most workers, then the largest batch.

    A worker decodes one image at a time, so that more of them decode more at once.
    """
    best = max((row.images_per_second for row in rows), default=0.0)
    as_good = [row for row in rows if row.images_per_second >= (1 - TIE) * best]
    return max(as_good, key=lambda row: (row.workers, row.batch_size, row.images_per_second), default=None)


def _rounds(started: Probes, batch_sizes: Sequence[int], tick: Callable[[], None]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {size: [] for size in batch_sizes}
    for size in batch_sizes:
        started.forward_rate(size, 0)  # the first pass of a size pays for its buffers and code
    for _ in range(ROUNDS):
        for size in batch_sizes:
            found[size].append(started.forward_rate(size, TURN_SECONDS))
            tick()
    return found


def _figures(rates: Sequence[float]) -> tuple[float, float, float]:
    return round(statistics.median(rates), 2), round(min(rates), 2), round(max(rates), 2)
