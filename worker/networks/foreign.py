"""Weights from elsewhere: a safetensors file, or what ``torch.save`` wrote of a state dict."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.numpy

from tagtray.config.errors import UsageError, WeightsError
from tagtray.weights.architectures import ARCHITECTURES, recognise
from tagtray.worker.networks import state_dict

if TYPE_CHECKING:
    import torch

#: How the name of a safetensors file ends; every other one is read as PyTorch's.
SAFETENSORS = ".safetensors"


@dataclass(frozen=True, slots=True)
class ForeignWeights:
    """A file that was read and checked: its values as a safetensors file, and what they are of."""

    content: bytes
    architecture: str
    classes: int


def read(source: Path, architecture: str | None = None) -> ForeignWeights:
    """Read a file; the architecture is recognised where it is not given.

    No code of the file is run. Raises UsageError where it is no file of weights or of no known architecture,
    WeightsError with one sentence that names the key that does not fit.
    """
    try:
        content = source.read_bytes() if source.suffix == SAFETENSORS else _converted(source)
        state = safetensors.numpy.load(content)
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from error
    except (safetensors.SafetensorError, KeyError, TypeError) as error:
        raise UsageError(f"{source} is no safetensors file in fp32 or fp16.") from error
    named = architecture or recognise({key: value.shape for key, value in state.items()})
    if named is None or named not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(f"{source} is of none of the architectures that can be run: {known}.")
    if "fc.weight" not in state:
        raise WeightsError(f"{source} has no classifier: fc.weight is missing.")
    classes = len(state["fc.weight"])
    state_dict.checked(state, named, classes)
    return ForeignWeights(content, named, classes)


def _converted(source: Path) -> bytes:
    """A state dict of ``torch.save`` as a safetensors file, its numbers in fp32 or fp16."""
    import safetensors.torch
    import torch

    try:
        state: Any = torch.load(source, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UsageError(f"{source} holds no weights that PyTorch reads without running code.") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UsageError(f"{source} is no state dict: it holds other things than tensors.")
    return safetensors.torch.save({str(key): _plain(value) for key, value in state.items()})


def _plain(value: torch.Tensor) -> torch.Tensor:
    """A copy that shares no memory; numbers in fp32 where NumPy has no such type."""
    import torch

    foreign = value.is_floating_point() and value.dtype not in (torch.float16, torch.float32)
    return value.float() if foreign else value.clone(memory_format=torch.contiguous_format)
