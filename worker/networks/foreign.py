"""Weights from elsewhere: a safetensors file, or what ``torch.save`` wrote of a state dict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.numpy

from tagtray.config.errors import UsageError, WeightsError
from tagtray.weights.architectures import ARCHITECTURES, recognise
from tagtray.worker.networks import state_dict

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
    last = f"{ARCHITECTURES[named].classifier}.weight"
    if last not in state:
        raise WeightsError(f"{source} has no classifier: {last} is missing.")
    classes = len(state[last])
    state_dict.checked(state, named, classes)
    return ForeignWeights(content, named, classes)


def _converted(source: Path) -> bytes:
    """A state dict of ``torch.save`` as a safetensors file, its numbers in fp32 or fp16."""
    import safetensors.torch

    from tagtray.worker.networks import pickles

    return safetensors.torch.save(pickles.tensors(source.read_bytes(), str(source)))
