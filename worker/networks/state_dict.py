"""The values of a network, checked before anything is built of them: every key, every shape, every number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from tagtray.config.errors import WeightsError
from tagtray.weights.architectures import ARCHITECTURES
from tagtray.weights.model import Model

#: How the counters of batch norms end, which count training steps; files have them or not.
COUNTER = ".num_batches_tracked"
#: How a file ends that ``torch.save`` wrote; every other one is a safetensors file.
PICKLED = ".pth"

Array = NDArray[Any]
State = dict[str, NDArray[np.float32]]


def load(model: Model) -> State:
    """The state dict of a model in float32; raises WeightsError with one sentence that names the key."""
    path, content = model.path(model.weights), model.read(model.weights)
    return checked(_arrays(path, content), model.architecture, model.classes)


def _arrays(path: Path, content: bytes) -> Mapping[str, Array]:
    if path.suffix == PICKLED:
        # Here alone: PyTorch takes seconds, and the networks of other engines are made without it.
        from tagtray.worker.networks import pickles

        return {key: value.numpy() for key, value in pickles.tensors(content, str(path)).items()}
    try:
        return safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(f"{path} is no safetensors file that can be read.") from error


def checked(state: Mapping[str, Array], architecture: str, classes: int) -> State:
    """``state`` in float32, without counters, if it is that of the architecture with ``classes`` classes.

    Raises WeightsError with one sentence that names the first key that is missing, foreign, of another shape
    or holds what no network computes with: in half precision a large variance is infinite.
    """
    expected = ARCHITECTURES[architecture].shapes(classes)
    found = {key: value for key, value in state.items() if not key.endswith(COUNTER)}
    with np.errstate(over="ignore"):
        full = {key: value.astype(np.float32) for key, value in found.items()}
    for fault in (_unlike(expected, found), _unusable(full)):
        if fault:
            raise WeightsError(
                f"The weights are not those of a {architecture} of {classes:,} classes: {fault}."
            )
    return full


def _unlike(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, Array]) -> str | None:
    """The first difference to the keys and shapes that the architecture has."""
    if missing := [key for key in expected if key not in found]:
        return f"{missing[0]} is missing"
    if foreign := [key for key in found if key not in expected]:
        return f"{foreign[0]} is no part of it"
    for key, shape in expected.items():
        if found[key].shape != shape:
            return f"{key} has the shape {found[key].shape} instead of {shape}"
    return None


def _unusable(state: State) -> str | None:
    for key, value in state.items():
        if not np.isfinite(value).all():
            return f"{key} holds a value that is not finite"
        if key.endswith(".running_var") and (value < 0).any():
            return f"{key} holds a variance below zero"
    return None
