"""Which engine runs in which precision, what is said where it cannot, and that it computes what it should."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError, WeightsError
from tagtray.config.settings import Settings
from tagtray.weights import files
from tagtray.worker.engines import cpu_features, rollup, selection, self_test, torch_engine
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.engines.selection import Choice
from tagtray.worker.networks import torchscript
from tests import models, traces
from tests.models import DEFAULT, SHAPE, SPEC

ROLL_UP = rollup.load(DEFAULT)
MODULES = {"onnx": "onnxruntime", "openvino": "openvino"}


def settings(engine: str = "auto", precision: str = "auto") -> Settings:
    return configuration.load(engine=engine, precision=precision)


@pytest.fixture
def no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_features, "has_bf16", lambda: False)


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_features, "has_bf16", lambda: True)


def remove(monkeypatch: pytest.MonkeyPatch, *extras: str) -> None:
    """Make these extras look as if they had never been installed."""
    for extra in extras:
        monkeypatch.setitem(sys.modules, MODULES[extra], None)


@pytest.mark.usefixtures("no_bf16")
def test_auto_is_fp32_on_the_fastest_engine_where_there_is_no_bf16() -> None:
    assert selection.choose(settings()) == Choice("onnx", "fp32")


@pytest.mark.usefixtures("bf16")
def test_auto_is_bf16_where_the_processor_has_it() -> None:
    assert selection.choose(settings()) == Choice("openvino", "bf16", fallback=True)


@pytest.mark.usefixtures("bf16")
def test_torch_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, "onnx", "openvino")
    assert selection.installed() == ["torch"]
    assert selection.choose(settings()) == Choice("torch", "bf16", fallback=True)


@pytest.mark.usefixtures("bf16")
def test_an_engine_that_was_asked_for_computes_in_the_best_that_it_can() -> None:
    assert selection.choose(settings("onnx")) == Choice("onnx", "fp32")
    assert selection.choose(settings("torch")) == Choice("torch", "bf16", fallback=True)


def test_int8_takes_the_fastest_engine_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert selection.choose(settings(precision="int8")) == Choice("openvino", "int8")
    remove(monkeypatch, "openvino")
    assert selection.choose(settings(precision="int8")) == Choice("onnx", "int8")


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_missing_engine_is_a_sentence_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    remove(monkeypatch, engine)
    with pytest.raises(UsageError) as caught:
        selection.choose(settings(engine))
    assert str(caught.value) == f"The engine {engine} needs the extra: pip install 'tagtray[{engine}]'."


@pytest.mark.usefixtures("no_bf16")
@pytest.mark.parametrize(
    ("engine", "precision", "sentence"),
    [
        ("torch", "int8", "The engine torch does not compute in int8; it does in fp32 and bf16."),
        ("auto", "fp16", "The precision fp16 is for GPUs; a CPU computes in fp32, bf16 or int8."),
        ("auto", "bf16", "This processor has no bf16 of its own; choose fp32 or int8."),
    ],
)
def test_what_cannot_be_had_is_a_sentence(engine: str, precision: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        selection.choose(settings(engine, precision))
    assert str(caught.value) == sentence


def test_int8_without_an_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, "onnx", "openvino")
    with pytest.raises(UsageError, match=r"pip install 'tagtray\[openvino\]' or 'tagtray\[onnx\]'"):
        selection.choose(settings(precision="int8"))


def test_every_choice_is_one_that_the_settings_can_say() -> None:
    for precision, named in selection.FASTEST.items():
        assert all(settings(engine, precision) for engine in named)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_the_other_engines_run_without_torch(engine: str) -> None:
    # Given a process that loads nothing but the engine, when it classifies
    code = f"""
import sys
from pathlib import Path
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, selection
model, home = ModelStore().default, Path({str(traces.home())!r})
made = selection.load(selection.Choice({engine!r}, "fp32"), model, home, rollup.load(model), 1, 1)
made.classify(1)
print("torch" in sys.modules, "onnx" in sys.modules)
"""
    selection.load(Choice(engine, "fp32"), DEFAULT, traces.home(), ROLL_UP, 1, 1)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    # Then neither torch nor what makes ONNX files is in memory
    assert (ended.stderr, ended.stdout) == ("", "False False\n")


class Broken(torch_engine.TorchClassifier):
    """An engine with a kernel that is wrong."""

    error = 0.0

    def _forward(self, start: int, stop: int) -> None:
        super()._forward(start, stop)
        self._logits[start:stop, ::2] += self.error


def broken(precision: str, error: float) -> BatchClassifier:
    network = torchscript.load(DEFAULT, traces.home())
    made = Broken(DEFAULT, network, ROLL_UP, 2, precision=precision)
    made.error = error
    return made


@pytest.mark.parametrize(("precision", "error"), [("fp32", 0.01), ("bf16", 0.2), ("int8", 0.5)])
@pytest.mark.parametrize("sign", [1, -1, float("nan")])
def test_an_engine_that_is_wrong_on_this_processor_is_not_used(
    precision: str, error: float, sign: float
) -> None:
    with pytest.raises(InfrastructureError, match=f"^The engine torch in {precision} is wrong on this"):
        self_test.check(broken(precision, sign * error), DEFAULT)


def test_a_precision_that_nobody_asked_for_gives_way_to_fp32(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a processor whose bf16 is wrong
    right = torch_engine.load(DEFAULT, traces.home(), ROLL_UP, 2)
    monkeypatch.setattr(
        torch_engine, "load", lambda *given: right if given[-1] == "fp32" else broken("bf16", 1.0)
    )
    # When the precision was left open, then fp32 is used, and said so
    arguments = (DEFAULT, traces.home(), ROLL_UP, 2, 1)
    made = selection.load(Choice("torch", "bf16", fallback=True), *arguments)
    assert (made, made.precision) == (right, "fp32")
    assert caplog.messages[0].startswith("precision_lowered: The engine torch in bf16 is wrong")
    # When bf16 was asked for, then it is refused
    with pytest.raises(InfrastructureError, match="choose another engine or precision"):
        selection.load(Choice("torch", "bf16"), *arguments)


def test_int8_is_right_without_vnni() -> None:
    # Given OpenVINO held to AVX2, where sums of int8 products can overflow
    code = f"""
import sys
from pathlib import Path
from tagtray.config.errors import TagtrayError
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, selection
model, home = ModelStore().default, Path({str(traces.home())!r})
try:
    selection.load(selection.Choice("openvino", "int8"), model, home, rollup.load(model), 2, 1)
    print("agrees")
except TagtrayError as error:
    print(error)
"""
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    command = [sys.executable, "-c", code]
    # When it is checked, then it is right
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert "agrees" in ended.stdout, ended.stderr


def test_pictures_for_the_check_are_the_same_everywhere() -> None:
    found = self_test.images(SPEC.side)
    assert (found.shape, found.dtype.name) == ((self_test.IMAGES, *SHAPE), "uint8")
    assert found[0, 0, 0].tolist() == found[0, 31, 31].tolist() != found[0, 32, 32].tolist()
    assert int(found.astype(np.int64).sum()) == 39853056
    assert self_test.images(models.OTHER_INPUT.side).shape[1:] == (160, 160, 3)


def test_flags_of_the_processor_are_read(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n\nflags : other\n")
    assert cpu_features.flags(cpuinfo) == {"fpu", "avx2", "avx512_vnni"}
    assert cpu_features.flags(tmp_path / "none") == frozenset()


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
