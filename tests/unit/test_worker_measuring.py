"""What is measured, what is recommended, and processes that refuse or die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tagtray.config import machine
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.worker.engines import selection
from tagtray.worker.engines.selection import Choice
from tagtray.worker.measure import ceiling, pool, throughput
from tagtray.worker.measure.process import Order
from tagtray.worker.measure.throughput import Row
from tagtray.worker.supervision import resources
from tagtray.worker.supervision.resources import Plan
from tests import traces

TORCH = Choice("torch", "fp32")


def _row(rate: float, workers: int = 2, batch_size: int = 8) -> Row:
    return Row("torch", "fp32", workers, 1, batch_size, rate, rate, rate)


def _machine(root: Path, cores: int, memory: int) -> Path:
    """A root with a cgroup that allows so much."""
    group = root / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/\n")
    (root / "proc/meminfo").write_text(f"MemAvailable: {memory // 1024} kB\n")
    (group / "cpu.max").write_text(f"{cores}00000 100000\n")
    return root


def _children() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if "tagtray.worker.measure.process" in child.cmdline()
    ]


def test_the_fastest_is_recommended() -> None:
    assert throughput.recommend([_row(10), _row(30, workers=1), _row(20)]) == _row(30, workers=1)
    assert throughput.recommend([]) is None


def test_of_those_that_are_as_fast_most_workers_then_the_largest_batch_win() -> None:
    rows = [_row(100, workers=1, batch_size=64), _row(98, batch_size=8), _row(98.5, batch_size=32)]

    assert throughput.recommend([*rows, _row(90, workers=4)]) == rows[2]


def test_the_cores_are_shared_out_evenly_the_most_workers_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))

    plenty = _machine(tmp_path / "plenty", 12, 2**40)
    assert resources.splits(32, plenty) == [Plan(12, 1), Plan(6, 2), Plan(4, 3), Plan(3, 4), Plan(2, 6)]
    little = _machine(tmp_path / "little", 12, 4 * 2**30)
    assert resources.splits(32, little) == [Plan(4, 3), Plan(3, 4), Plan(2, 6), Plan(1, 12)]
    least = _machine(tmp_path / "least", 7, 2**20)
    assert resources.splits(32, least) == [Plan(1, 7)]


def test_what_can_be_measured_is_what_can_be_chosen(home: Path) -> None:
    for choice in selection.available():
        settings = configuration.load(home=home, engine=choice.engine, precision=choice.precision)
        assert selection.choose(settings) == choice


def test_probes_classify_decode_and_are_gone_afterwards(tmp_path: Path) -> None:
    # Given two processes
    settings = configuration.load(home=traces.home())
    with pool.running(settings, TORCH, Plan(2, 1), 2) as started:
        # When they are asked for passes, then both have done whole batches for as long as asked
        answers = started.ask([Order(2, 0.2), Order(1, 0.0)])
        assert answers[0].images % 2 == 0
        assert answers[0].seconds >= 0.2
        assert answers[1].images == 1

        # When one is asked for a file that is not there, then that is a sentence
        with pytest.raises(InfrastructureError, match="No such file"):
            started.ask([Order(2), Order(2, files=[str(tmp_path / "none.jpg")])])
    assert not _children()


def test_a_probe_that_dies_is_a_sentence() -> None:
    settings = configuration.load(home=traces.home())
    with pool.running(settings, TORCH, Plan(1, 1), 2) as started:
        _children()[0].send_signal(signal.SIGKILL)

        with pytest.raises(InfrastructureError, match="ended with status -9"):
            started.ask([Order(2)])


def test_a_precision_that_is_refused_is_a_sentence(home: Path) -> None:
    (home / "cache").write_text("no folder")

    with (
        pytest.raises(InfrastructureError, match="The cache of the network cannot be used"),
        pool.running(configuration.load(home=home), TORCH, Plan(1, 1), 2),
    ):
        pass
    assert not _children()


def test_the_upper_bound_takes_fewer_files_than_workers(tmp_path: Path) -> None:
    file = tmp_path / "only.jpg"
    Image.new("RGB", (300, 200), "red").save(file)
    settings = configuration.load(home=traces.home(), engine="torch", precision="fp32")

    assert ceiling.rate(settings, [str(file)], Plan(2, 1)) > 0


def test_an_engine_that_is_gone_is_said_with_the_file_that_asks_for_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine's file that asks for an engine
    kept = {"engine": "onnx", "precision": "fp32", "workers": 1, "batch_size": 8}
    file = machine.write(home, kept, {})

    # When that is no longer installed
    monkeypatch.setattr(selection, "_is_installed", lambda name: name == "torch")

    # Then the sentence says where it was asked for, unless it was elsewhere
    with pytest.raises(UsageError) as caught:
        selection.choose(configuration.load(home=home))
    assert str(caught.value) == (
        f"The engine onnx needs the extra: pip install 'tagtray[onnx]'. {file} sets the engine."
    )
    with pytest.raises(UsageError, match=r"\[openvino\]'\.$"):
        selection.choose(configuration.load(home=home, engine="openvino"))
