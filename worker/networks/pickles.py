"""State dicts that ``torch.save`` wrote, read without running any code of theirs."""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch

from tagtray.config.errors import UsageError


def tensors(content: bytes, name: str) -> dict[str, torch.Tensor]:
    """The tensors of a state dict by key, in fp32 or fp16 where they are numbers with a point.

    They share no memory. Raises UsageError with one sentence that begins with ``name``.
    """
    try:
        state: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UsageError(f"{name} holds no weights that PyTorch reads without running code.") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UsageError(f"{name} is no state dict: it holds other things than tensors.")
    return {str(key): _plain(value) for key, value in state.items()}


def _plain(value: torch.Tensor) -> torch.Tensor:
    foreign = value.is_floating_point() and value.dtype not in (torch.float16, torch.float32)
    return value.float() if foreign else value.clone(memory_format=torch.contiguous_format)
