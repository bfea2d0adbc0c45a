"""Engines are loaded as they should, give way where they cannot be, and compute what the weights say."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sqlalchemy import Engine

from tagtray.app import bootstrap
from tagtray.config import settings as configuration
from tagtray.config.errors import EngineError, WeightsError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.workers import alive
from tagtray.weights import files
from tagtray.worker.engines import cpu_features, openvino_engine, rollup, selection, self_test, torch_engine
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.engines.selection import Choice
from tagtray.worker.networks import cache, torchscript
from tagtray.worker.supervision.resources import Plan
from tagtray.worker.supervision.supervisor import Supervisor
from tests import models, networks
from tests.models import DEFAULT, SHAPE, SPEC
from tests.waiting import wait_for
from tests.workers import supervised

ROLL_UP = rollup.load(DEFAULT)


def settings(home: Path, engine: str = "auto", precision: str = "auto") -> Settings:
    return configuration.load(home=home, engine=engine, precision=precision, batch_size=2)


def load_best(settings: Settings) -> BatchClassifier:
    return selection.load_best(settings, DEFAULT, ROLL_UP, 1)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | environment,
    )


def spoil(home: Path, *suffixes: str) -> None:
    """Replace the networks in a cache by what no library can load, vouched for by its record."""
    for file in [file for file in (home / "cache").iterdir() if file.suffix in suffixes]:
        cache.keep(file, b"no network")


@pytest.fixture
def own_home(tmp_path: Path) -> Path:
    """A home with the networks of torch and ONNX Runtime in fp32, which the test may spoil."""
    selection.load(Choice("onnx", "fp32"), DEFAULT, networks.home(networks.TRACE), ROLL_UP, 1, 1)
    networks.copied_to(tmp_path, networks.TRACE)
    return tmp_path


@contextlib.contextmanager
def working(host: Settings, workers: int) -> Iterator[tuple[Supervisor, Engine]]:
    """Workers and their ledger."""
    with (
        bootstrap.writing(host) as database,
        supervised(Supervisor(host, Ledger(database), Plan(workers, 1))) as supervisor,
    ):
        yield supervisor, database


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_the_other_engines_run_without_torch(engine: str) -> None:
    # Given a process that loads nothing but the engine, when it classifies
    code = f"""
import sys
from pathlib import Path
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, selection
model, home = ModelStore().default, Path({str(networks.home(networks.TRACE))!r})
made = selection.load(selection.Choice({engine!r}, "fp32"), model, home, rollup.load(model), 1, 1)
made.classify(1)
print("torch" in sys.modules, "onnx" in sys.modules)
"""
    selection.load(Choice(engine, "fp32"), DEFAULT, networks.home(networks.TRACE), ROLL_UP, 1, 1)
    ended = run(code)
    # Then neither torch nor what makes ONNX files is in memory
    assert (ended.stderr, ended.stdout) == ("", "False False\n")


class Broken(torch_engine.TorchClassifier):
    """An engine with a kernel that is wrong."""

    error = 0.0

    def _forward(self, start: int, stop: int) -> None:
        super()._forward(start, stop)
        self._logits[start:stop, ::2] += self.error


def broken(precision: str, error: float) -> BatchClassifier:
    network = torchscript.load(DEFAULT, networks.home(networks.TRACE))
    made = Broken(DEFAULT, network, ROLL_UP, 2, precision=precision)
    made.error = error
    return made


@pytest.mark.parametrize(("precision", "error"), [("fp32", 0.01), ("bf16", 0.2), ("int8", 0.5)])
@pytest.mark.parametrize("sign", [1, -1, float("nan")])
def test_an_engine_that_is_wrong_on_this_processor_is_not_used(
    precision: str, error: float, sign: float
) -> None:
    with pytest.raises(EngineError, match=f"^The engine torch in {precision} is wrong on this"):
        self_test.check(broken(precision, sign * error), DEFAULT)


def test_a_precision_that_nobody_asked_for_gives_way_where_it_is_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a processor whose bf16 is wrong
    right = torch_engine.load(DEFAULT, networks.home(networks.TRACE), ROLL_UP, 2)
    monkeypatch.setattr(torch_engine, "has_bf16", lambda: True)
    monkeypatch.setattr(
        torch_engine, "load", lambda *given: right if given[-1] == "fp32" else broken("bf16", 1.0)
    )
    # When the precision was left open, then fp32 is used, and said so once
    made = load_best(settings(networks.home(networks.TRACE), "torch"))
    assert (made, made.precision) == (right, "fp32")
    assert [message.split(" (")[0] for message in caplog.messages] == [
        "engine_passed_over: The engine torch in bf16 is wrong on this processor"
    ]
    # When bf16 was asked for, then it is refused
    with pytest.raises(EngineError, match=r"is wrong on this processor \(.*\)\.$"):
        load_best(settings(networks.home(networks.TRACE), "torch", "bf16"))


def test_an_engine_that_does_not_load_gives_way_to_the_next(
    own_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a library that raises errors of its own
    spoil(own_home, ".onnx")
    # When the engine was left open
    made = load_best(settings(own_home, precision="fp32"))
    # Then another one is used, and a sentence says why, in the log and beside the engine
    assert (made.engine, len(made.classify(1))) == ("torch", 1)
    assert len(made.passed_over) == 1
    assert made.passed_over[0].startswith("The engine onnx in fp32 cannot be loaded (")
    assert caplog.messages == [f"engine_passed_over: {made.passed_over[0]} Another one is tried."]


@pytest.mark.parametrize("engine", selection.installed())
def test_an_engine_that_was_asked_for_and_does_not_load_is_one_sentence(own_home: Path, engine: str) -> None:
    spoil(own_home, ".onnx", ".pt")
    sentence = rf"^The engine {engine} in fp32 cannot be loaded \(.*\)\.$"
    with pytest.raises(EngineError, match=sentence):
        load_best(settings(own_home, engine, "fp32"))


def test_workers_without_the_engine_that_was_asked_for_are_given_up_at_once_with_its_sentence(
    own_home: Path, redis_url: str
) -> None:
    # Given an engine that does not load
    spoil(own_home, ".onnx")
    host = configuration.load(home=own_home, redis_url=redis_url, engine="onnx", precision="fp32")
    with working(host, workers=2) as (supervisor, _):
        # When workers are started
        wait_for(lambda: supervisor.failure)
        # Then none of them counts as dead, and the user is told why
        assert supervisor.deaths == 0
        assert (supervisor.failure or "").startswith("The engine onnx in fp32 cannot be loaded (")


def test_a_worker_tells_which_engine_it_runs_and_why_not_a_better_one(own_home: Path, redis_url: str) -> None:
    # Given the fastest engine that does not load, and one that was left open
    spoil(own_home, ".onnx")
    host = configuration.load(home=own_home, redis_url=redis_url, precision="fp32")
    with working(host, workers=1) as (_, database):
        # When a worker is started, then the ledger shows what it runs
        wait_for(lambda: alive(database))
        (worker,) = alive(database)
        assert (worker.info.engine, worker.info.precision) == ("torch", "fp32")
        assert worker.info.passed_over.startswith("The engine onnx in fp32 cannot be loaded (")


def test_bf16_that_the_processor_has_not_is_passed_over_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a library that knows of no bf16, when the precision was left open, then it is fp32
    monkeypatch.setattr(torch_engine, "has_bf16", lambda: False)
    made = load_best(settings(networks.home(networks.TRACE), "torch"))
    assert (made.precision, made.passed_over, caplog.messages) == ("fp32", (), [])
    # When bf16 was asked for, then it is refused
    with pytest.raises(EngineError, match=r"^This processor has no bf16 of its own\.$"):
        load_best(settings(networks.home(networks.TRACE), "torch", "bf16"))


def test_the_libraries_agree_on_whether_there_is_bf16() -> None:
    assert torch_engine.has_bf16() == openvino_engine.has_bf16()


@pytest.mark.parametrize("limit", ["AVX2", "AVX512_CORE", "AVX512_CORE_VNNI", "ALL"])
@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_openvino_is_right_whatever_onednn_may_use(
    precision: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given OpenVINO held to less than the processor has: with AVX2, sums of int8 products can overflow, and
    # bf16 does not compile
    code = f"""
from pathlib import Path
from tagtray.config import settings
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, selection
home = Path({str(networks.home(networks.TRACE))!r})
host = settings.load(home=home, engine="openvino", precision={precision!r})
model = ModelStore().default
made = selection.load_best(host, model, rollup.load(model), 1)
print(made.precision, *made.passed_over)
"""
    # When it is loaded and compared with the reference, then it is right at once
    ended = run(code, **{cpu_features.ONEDNN_LIMIT: limit})
    assert (ended.stderr, ended.returncode) == ("", 0)
    monkeypatch.setenv(cpu_features.ONEDNN_LIMIT, limit)
    native = "bf16" if openvino_engine.has_bf16() else "fp32"
    assert ended.stdout.split() == [native if precision == "auto" else precision]


def test_images_for_the_check_are_the_same_everywhere() -> None:
    found = self_test.images(SPEC.side)
    assert (found.shape, found.dtype.name) == ((self_test.IMAGES, *SHAPE), "uint8")
    assert found[0, 0, 0].tolist() == found[0, 31, 31].tolist() != found[0, 32, 32].tolist()
    assert int(found.astype(np.int64).sum()) == 39853056
    assert self_test.images(models.OTHER_INPUT.side).shape[1:] == (160, 160, 3)


def test_weights_that_are_not_what_the_manifest_says_are_refused(tmp_path: Path) -> None:
    weights = dataclasses.replace(DEFAULT.weights, sha256="0" * 64)
    changed = dataclasses.replace(DEFAULT, weights=weights)
    for engine in selection.installed():
        with pytest.raises(WeightsError, match="damaged"):
            selection.load(Choice(engine, "fp32"), changed, tmp_path, ROLL_UP, 1, 1)
    assert not list(tmp_path.iterdir())


def test_reference_answers_of_other_weights_are_refused(tmp_path: Path) -> None:
    # Given answers of other weights in the place of the model's own
    assert DEFAULT.reference
    content = json.loads(DEFAULT.read(DEFAULT.reference)) | {"weights_sha256": "0" * 64}
    (tmp_path / DEFAULT.reference.name).write_text(json.dumps(content))
    entry = files.digest(tmp_path / DEFAULT.reference.name)
    other = dataclasses.replace(DEFAULT, reference=entry, folder=tmp_path)
    # When an engine is held against them, then a sentence says so
    with pytest.raises(WeightsError, match="is of other weights"):
        self_test.check(broken("fp32", 0.0), other)


def test_threads_of_torch_are_set_as_asked() -> None:
    torch_engine.set_threads(2)
    assert (torch.get_num_threads(), torch.get_num_interop_threads()) == (2, 1)
    torch_engine.set_threads(1)
    assert torch.get_num_threads() == 1
