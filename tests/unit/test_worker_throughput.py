"""What is recommended of what was measured."""

from __future__ import annotations

from tagtray.worker.measure import throughput
from tagtray.worker.measure.throughput import Row


def _row(rate: float, workers: int = 2, batch_size: int = 8) -> Row:
    return Row("torch", "fp32", workers, 1, batch_size, rate, rate, rate)


def test_the_fastest_is_recommended() -> None:
    assert throughput.recommend([_row(10), _row(30, workers=1), _row(20)]) == _row(30, workers=1)
    assert throughput.recommend([]) is None


def test_of_those_that_are_as_fast_most_workers_then_the_largest_batch_win() -> None:
    rows = [_row(100, workers=1, batch_size=64), _row(98, batch_size=8), _row(98.5, batch_size=32)]

    assert throughput.recommend([*rows, _row(90, workers=4)]) == rows[2]
