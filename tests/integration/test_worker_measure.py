"""Processes that measure, refuse or die."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.worker.measure import ceiling, pool
from tagtray.worker.measure.process import Loaded, Order
from tagtray.worker.supervision.resources import Plan
from tests import networks
from tests.models import DEFAULT


def settings(home: Path | None = None) -> Settings:
    home = home or networks.home(networks.GRAPH)
    return configuration.load(home=home, engine=networks.GRAPH, precision="fp32", batch_size=2)


def _children() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if "tagtray.worker.measure.process" in child.cmdline()
    ]


def test_probes_classify_decode_and_are_gone_afterwards(tmp_path: Path) -> None:
    # Given two processes
    with pool.running(settings(), DEFAULT, Plan(2, 1)) as started:
        assert started.loaded == Loaded(networks.GRAPH, "fp32")
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
    with pool.running(settings(), DEFAULT, Plan(1, 1)) as started:
        _children()[0].send_signal(signal.SIGKILL)

        with pytest.raises(InfrastructureError, match="ended with status -9"):
            started.ask([Order(2)])


def test_a_precision_that_is_refused_is_a_sentence(home: Path) -> None:
    (home / "cache").write_text("no folder")

    with (
        pytest.raises(InfrastructureError, match="The cache of the network cannot be used"),
        pool.running(settings(home), DEFAULT, Plan(1, 1)),
    ):
        pass
    assert not _children()


def test_the_upper_bound_takes_fewer_files_than_workers(tmp_path: Path) -> None:
    file = tmp_path / "only.jpg"
    Image.new("RGB", (300, 200), "red").save(file)
    assert ceiling.rate(settings(), DEFAULT, [str(file)], Plan(2, 1)) > 0
