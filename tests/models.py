"""The default model, and made-up ones of few classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from tagtray.weights import user_models
from tagtray.weights.architectures import ARCHITECTURES
from tagtray.weights.model import InputSpec, Model
from tagtray.weights.store import ModelStore

DEFAULT = ModelStore().default
SPEC = DEFAULT.input
#: Of a slot of the default model.
SHAPE = (SPEC.side, SPEC.side, 3)

#: An input that has nothing in common with the default model's.
OTHER_INPUT = InputSpec(
    resize=180, side=160, interpolation="bicubic", mean=(0.5, 0.4, 0.3), std=(0.3, 0.25, 0.2)
)
COLOURS = ("red", "orange", "yellow", "green", "blue", "violet", "grey")

State = dict[str, NDArray[np.float32]]


def state(architecture: str = DEFAULT.architecture, classes: int = len(COLOURS), seed: int = 0) -> State:
    """Random weights under which activations neither vanish nor explode."""
    chance = np.random.default_rng(seed)
    found: State = {}
    for key, shape in ARCHITECTURES[architecture].shapes(classes).items():
        if len(shape) > 1:
            values = chance.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        elif key.endswith(("running_var", "weight")):
            values = chance.uniform(0.5, 1.0, shape)
        else:
            values = chance.normal(0, 0.1, shape)
        found[key] = values.astype(np.float32)
    return found


def add(
    home: Path,
    name: str = "colours",
    architecture: str = DEFAULT.architecture,
    classes: int = len(COLOURS),
    seed: int = 0,
) -> Model:
    """A model that tells colours apart, badly, among the user's own in ``home``."""
    weights = safetensors.numpy.save(state(architecture, classes, seed))
    return user_models.add(home, name, architecture, weights, OTHER_INPUT, COLOURS[:classes])


def images(spec: InputSpec, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """(count, side, side, 3) uint8: coarse colours under noise."""
    chance = np.random.default_rng(seed)
    square = np.arange(spec.side) // 32
    coarse = chance.integers(0, 200, (count, square[-1] + 1, square[-1] + 1, 3))
    noise = chance.integers(0, 56, (count, spec.side, spec.side, 3))
    return (coarse[:, square][:, :, square] + noise).astype(np.uint8)
