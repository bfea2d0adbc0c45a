"""What is tried for which settings, and what is said where nothing can be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tagtray.config import machine
from tagtray.config import settings as configuration
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.worker.engines import cpu_features, selection
from tagtray.worker.engines.selection import FASTEST, Choice

MODULES = {"onnx": "onnxruntime", "openvino": "openvino"}


def settings(engine: str = "auto", precision: str = "auto") -> Settings:
    return configuration.load(engine=engine, precision=precision)


def remove(monkeypatch: pytest.MonkeyPatch, *extras: str) -> None:
    """Make these extras look as if they had never been installed."""
    for extra in extras:
        monkeypatch.setitem(sys.modules, MODULES[extra], None)


def ranked(precision: str) -> list[Choice]:
    return [Choice(engine, precision) for engine in FASTEST[precision]]


def test_auto_is_bf16_on_its_fastest_engine_then_fp32_on_any() -> None:
    assert selection.choices(settings()) == [ranked("bf16")[0], *ranked("fp32")]


def test_torch_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, "onnx", "openvino")
    assert selection.installed() == ["torch"]
    assert selection.choices(settings()) == [Choice("torch", "bf16"), Choice("torch", "fp32")]


def test_an_engine_that_was_asked_for_is_the_only_one() -> None:
    assert selection.choices(settings("onnx")) == [Choice("onnx", "fp32")]
    assert selection.choices(settings("torch")) == [Choice("torch", "bf16"), Choice("torch", "fp32")]


@pytest.mark.parametrize("precision", FASTEST)
def test_a_precision_that_was_asked_for_is_the_only_one(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    assert selection.choices(settings(precision=precision)) == ranked(precision)
    remove(monkeypatch, "openvino")
    assert Choice("openvino", precision) not in selection.choices(settings(precision=precision))


def test_int8_is_never_chosen_unasked() -> None:
    for engine in ("auto", *selection.installed()):
        assert "int8" not in {choice.precision for choice in selection.choices(settings(engine))}


def test_what_can_be_measured_is_what_can_be_chosen() -> None:
    for choice in selection.available():
        assert selection.choices(settings(choice.engine, choice.precision)) == [choice]


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_missing_engine_is_a_sentence_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    remove(monkeypatch, engine)
    with pytest.raises(UsageError) as caught:
        selection.choices(settings(engine))
    assert str(caught.value) == f"The engine {engine} needs the extra: pip install 'tagtray[{engine}]'."


@pytest.mark.parametrize(
    ("engine", "precision", "sentence"),
    [
        ("torch", "int8", "The engine torch does not compute in int8; it does in fp32 and bf16."),
        ("auto", "fp16", "The precision fp16 is for GPUs; a CPU computes in fp32, bf16 or int8."),
    ],
)
def test_what_cannot_be_had_is_a_sentence(engine: str, precision: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        selection.choices(settings(engine, precision))
    assert str(caught.value) == sentence


def test_int8_without_an_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, "onnx", "openvino")
    with pytest.raises(UsageError, match=r"pip install 'tagtray\[openvino\]' or 'tagtray\[onnx\]'"):
        selection.choices(settings(precision="int8"))


def test_an_engine_that_is_gone_is_said_with_the_file_that_asks_for_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine's file that asks for an engine
    kept = {"engine": "onnx", "precision": "fp32", "workers": 1, "batch_size": 8}
    file = machine.write(home, kept, {})

    # When that is no longer installed
    remove(monkeypatch, "onnx", "openvino")

    # Then the sentence says where it was asked for, unless it was elsewhere
    with pytest.raises(UsageError) as caught:
        selection.choices(configuration.load(home=home))
    assert str(caught.value) == (
        f"The engine onnx needs the extra: pip install 'tagtray[onnx]'. {file} sets the engine."
    )
    with pytest.raises(UsageError, match=r"\[openvino\]'\.$"):
        selection.choices(configuration.load(home=home, engine="openvino"))


def test_flags_of_the_processor_are_read(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n\nflags : other\n")
    assert cpu_features.flags(cpuinfo) == {"fpu", "avx2", "avx512_vnni"}
    assert cpu_features.flags(tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("limit", "allowed"),
    [("", True), ("ALL", True), ("AVX512_CORE_BF16", True), ("AVX512_CORE_VNNI", False), ("avx2", False)],
)
def test_a_limit_on_onednn_rules_bf16_out(monkeypatch: pytest.MonkeyPatch, limit: str, allowed: bool) -> None:
    monkeypatch.setenv(cpu_features.ONEDNN_LIMIT, limit)
    assert cpu_features.onednn_may_use_bf16() == allowed
