"""What torchvision says: its own ResNet-18, eager, with its own normalisation."""

from __future__ import annotations

import functools

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torchvision.models import resnet18  # type: ignore[import-untyped]
from torchvision.transforms import v2  # type: ignore[import-untyped]

from tests import traces

_NORMALISE = v2.Compose(
    [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ]
)


@functools.cache
def model() -> torch.nn.Module:
    """torchvision's network with the embedded weights."""
    eager: torch.nn.Module = resnet18()
    eager.load_state_dict({k: v.to(eager.state_dict()[k].dtype) for k, v in _weights().items()})
    return eager.eval()


def probabilities(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Softmax (n, 1000) of images (n, 224, 224, 3) uint8 RGB."""
    with torch.inference_mode():
        batch = torch.stack([_NORMALISE(image) for image in images])
        softmax: NDArray[np.float32] = model()(batch).softmax(1).numpy()
    return softmax


def _weights() -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(traces.WEIGHTS)
