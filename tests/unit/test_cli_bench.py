"""The table of the benchmark: what is left out, what is refused, what is recommended."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tagtray.cli.bench import plotting, report
from tagtray.cli.bench.report import Table
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.weights.model import Model
from tagtray.worker.engines import selection
from tagtray.worker.engines.selection import Choice
from tagtray.worker.measure import throughput
from tagtray.worker.measure.throughput import Row
from tagtray.worker.supervision import resources
from tagtray.worker.supervision.resources import Plan

GOOD, BAD = Choice("torch", "fp32"), Choice("onnx", "int8")


def _measure(
    settings: Settings,
    model: Model,
    choice: Choice,
    plan: Plan,
    batch_sizes: Sequence[int],
    tick: Callable[[], None],
) -> list[Row]:
    """As an engine would whose int8 is wrong on this processor; one worker is half as fast."""
    if choice == BAD:
        raise InfrastructureError("It is wrong on this processor.")
    rate = 10.0 * plan.workers
    return [
        Row(choice.engine, choice.precision, plan.workers, plan.threads, size, rate, rate - 1, rate + 1)
        for size in batch_sizes
    ]


@pytest.fixture(autouse=True)
def _two_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "available", lambda: [GOOD, BAD])
    monkeypatch.setattr(resources, "splits", lambda _: [Plan(2, 1), Plan(1, 2)])
    monkeypatch.setattr(throughput, "measure", _measure)


def test_a_refused_precision_is_left_out_with_its_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    # When both are measured
    table = report.measure(settings, [8, 32])

    # Then the good one has a row for each split and batch, best first, and the bad one a sentence, once
    assert [row.workers for row in table.rows] == [2, 2, 1, 1]
    assert [(left.engine, left.precision) for left in table.left_out] == [("onnx", "int8")]

    # And all of it is printed, with what sets the best
    report.write(table, throughput.recommend(table.rows))
    output = capsys.readouterr().out
    assert "Left out: onnx in int8. It is wrong on this processor." in output
    assert "torch in fp32, 2 workers of 1 thread, batches of 32: 20.0 images/s" in output
    assert "TAGTRAY_WORKERS=2 TAGTRAY_BATCH_SIZE=32" in output


def test_options_narrow_the_table(settings: Settings, home: Path) -> None:
    narrow = configuration.load(home=home, engine="torch")

    assert report.measure(narrow, [8]).left_out == []


def test_nothing_left_is_an_error_with_the_first_sentence(home: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"^It is wrong on this processor\.$"):
        report.measure(configuration.load(home=home, precision="int8"), [8])


def test_a_picture_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(UsageError, match=r"pip install 'tagtray\[plot\]'"):
        plotting.check(tmp_path / "bench.png")


def test_a_picture_is_written(settings: Settings, tmp_path: Path) -> None:
    table: Table = report.measure(settings, [8, 32])

    plotting.draw(table, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"none.*cannot be written"):
        plotting.draw(table, tmp_path / "none" / "bench.png")
