"""What the makers of a network say: their own code, eager, with torchvision's normalisation."""

from __future__ import annotations

import functools

import numpy as np
import safetensors.torch
import torch
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet  # type: ignore[import-untyped]
from torchvision.transforms import v2  # type: ignore[import-untyped]

from tagtray.weights import architectures
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
    """Their network with the weights of a model."""
    model = Model.from_json(description)
    path = model.path(model.weights)
    eager = bare(model.architecture, model.classes)
    pickled = path.suffix == ".pth"
    weights = torch.load(path, weights_only=True) if pickled else safetensors.torch.load_file(path)
    eager.load_state_dict({k: v.to(eager.state_dict()[k].dtype) for k, v in weights.items()})
    return eager.eval()


def bare(architecture: str, classes: int) -> torch.nn.Module:
    """An architecture as its makers write it: torchvision's ResNet, or the package of EfficientNet-Lite."""
    network = architectures.ARCHITECTURES[architecture]
    if not isinstance(network, architectures.ResNet):
        made: torch.nn.Module = EfficientNet.from_name(architecture, num_classes=classes)
        return made
    block = Bottleneck if network.bottleneck else BasicBlock
    residual: torch.nn.Module = ResNet(block, list(network.layers), num_classes=classes)
    return residual
