"""What torchvision says: its own network, eager, with its own normalisation."""

from __future__ import annotations

import functools

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet  # type: ignore[import-untyped]
from torchvision.transforms import v2  # type: ignore[import-untyped]

from tagtray.weights.model import Model
from tests.models import DEFAULT


def probabilities(images: NDArray[np.uint8], model: Model = DEFAULT) -> NDArray[np.float32]:
    """Softmax (n, classes) of images (n, side, side, 3) uint8 RGB."""
    normalise = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean=list(model.input.mean), std=list(model.input.std)),
        ]
    )
    with torch.inference_mode():
        batch = torch.stack([normalise(image) for image in images])
        softmax: NDArray[np.float32] = _network(model.to_json())(batch).softmax(1).numpy()
    return softmax


@functools.cache
def _network(description: str) -> torch.nn.Module:
    """torchvision's network with the weights of a model."""
    model = Model.from_json(description)
    block = Bottleneck if model.network.bottleneck else BasicBlock
    eager: torch.nn.Module = ResNet(block, list(model.network.layers), num_classes=model.classes)
    weights = safetensors.torch.load_file(model.path(model.weights))
    eager.load_state_dict({k: v.to(eager.state_dict()[k].dtype) for k, v in weights.items()})
    return eager.eval()
