"""Weights that do not fit are refused with one sentence that names the key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tagtray.config.errors import WeightsError
from tagtray.weights import files
from tagtray.worker.networks import state_dict
from tests import models
from tests.models import State

CLASSES = len(models.COLOURS)


def refused(state: Mapping[str, state_dict.Array], architecture: str = "resnet18") -> str:
    with pytest.raises(WeightsError) as raised:
        state_dict.checked(state, architecture, CLASSES)
    prefix = f"The weights are not those of a {architecture} of {CLASSES} classes: "
    assert str(raised.value).startswith(prefix)
    return str(raised.value).removeprefix(prefix)


def spoil(key: str, change: Callable[[np.ndarray[tuple[int, ...], np.dtype[np.float32]]], object]) -> State:
    state = models.state()
    change(state[key])
    return state


def test_a_whole_state_dict_comes_out_in_float32_without_counters() -> None:
    # Given half-precision weights with the counters of training
    state = {key: value.astype(np.float16) for key, value in models.state().items()}
    counters = {"bn1.num_batches_tracked": np.array(3)}
    # When they are checked
    found = state_dict.checked(state | counters, "resnet18", CLASSES)
    # Then every value is there in full precision
    assert found.keys() == state.keys()
    assert {value.dtype.name for value in found.values()} == {"float32"}


def test_three_blocks_for_two_are_a_key_that_is_no_part() -> None:
    assert refused(models.state("resnet20")) == "layer4.2.conv1.weight is no part of it."


def test_two_blocks_for_three_are_a_missing_key() -> None:
    assert refused(models.state("resnet18"), "resnet20") == "layer4.2.conv1.weight is missing."


def test_other_classes_are_a_wrong_shape() -> None:
    assert refused(models.state(classes=5)) == "fc.weight has the shape (5, 512) instead of (7, 512)."


def test_bottlenecks_for_basic_blocks_are_told_by_their_first_key() -> None:
    assert refused(models.state("resnet34"), "resnet50") == "layer1.0.conv3.weight is missing."


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(value: float) -> None:
    state = spoil("layer3.1.conv2.weight", lambda weight: weight.put(7, value))
    assert refused(state) == "layer3.1.conv2.weight holds a value that is not finite."


def test_a_variance_beyond_half_precision_is_named_in_a_file_of_half_precision() -> None:
    # Given a variance that single precision holds and half precision does not
    state = spoil("layer4.0.bn1.running_var", lambda variance: variance.put(0, 72_282.0))
    state_dict.checked(state, "resnet18", CLASSES)
    # When it was stored in half precision
    with np.errstate(over="ignore"):
        half = {key: value.astype(np.float16) for key, value in state.items()}
    # Then it is infinite, and refused
    assert refused(half) == "layer4.0.bn1.running_var holds a value that is not finite."


def test_a_value_beyond_single_precision_is_named() -> None:
    state = {**models.state(), "fc.bias": np.full(CLASSES, 1e300)}
    assert refused(state) == "fc.bias holds a value that is not finite."


def test_a_variance_below_zero_is_named() -> None:
    state = spoil("bn1.running_var", lambda variance: variance.put(0, -1.0))
    assert refused(state) == "bn1.running_var holds a variance below zero."


@pytest.mark.parametrize("content", [b"x", b"not safetensors"], ids=["short", "garbage"])
def test_bytes_that_are_no_safetensors_file_are_one_sentence(content: bytes, tmp_path: Path) -> None:
    # Given a file that is what its manifest says, and no weights
    (tmp_path / "w.safetensors").write_bytes(content)
    entry = files.digest(tmp_path / "w.safetensors")
    model = dataclasses.replace(models.DEFAULT, weights=entry, folder=tmp_path)
    # When it is loaded, then a sentence names it
    with pytest.raises(WeightsError, match=r"w\.safetensors is no safetensors file that can be read\.$"):
        state_dict.load(model)


def test_the_default_model_is_what_it_says() -> None:
    state = state_dict.load(models.DEFAULT)
    assert state.keys() == models.DEFAULT.network.shapes(models.DEFAULT.classes).keys()
