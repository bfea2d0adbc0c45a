"""The network as torchvision defines it, with the normalisation inside and the pooled features beside."""

from __future__ import annotations

import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tagtray.weights.model import InputSpec, Model
from tagtray.worker.networks import state_dict

#: What torch computes in, by precision.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Network(torch.nn.Module):
    """(n, 3, side, side) uint8 RGB in channels_last -> logits (n, classes), features (n, F), for any n.

    ``(x / 255 - mean) / std`` is split in two: ``x - 255 mean`` is the first operation and the division by
    ``255 std`` lies in the first convolution. The zeros that this one pads with stand for the mean in both
    forms, so that the split is exact; to move the subtraction in as well would be wrong at the borders.
    """

    offset: torch.Tensor

    def __init__(self, resnet: torch.nn.Module, spec: InputSpec, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        resnet.get_parameter("conv1.weight").data.div_(_per_channel(spec.std))
        self.classifier = resnet.get_submodule("fc").to(dtype)
        resnet.set_submodule("fc", torch.nn.Identity())
        self.backbone = resnet.to(dtype).to(memory_format=torch.channels_last)
        self.register_buffer("offset", _per_channel(spec.mean))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and features of a batch of pixels."""
        features: torch.Tensor = self.backbone((pixels - self.offset).to(self.dtype))
        logits: torch.Tensor = self.classifier(features)
        return logits.float(), features.float()


def build(model: Model, dtype: torch.dtype = torch.float32) -> Network:
    """Make torchvision's ResNet of a model's architecture and weights, in evaluation mode.

    Nothing is downloaded. Raises WeightsError where the weights do not fit the architecture.
    """
    # Only the process that traces needs torchvision: its import takes over a second and 160 MB.
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet  # type: ignore[import-untyped]

    state = state_dict.load(model)
    block = Bottleneck if model.network.bottleneck else BasicBlock
    resnet = ResNet(block, list(model.network.layers), num_classes=model.classes)
    resnet.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    _fold(resnet.eval(), model)
    return Network(resnet, model.input, dtype).eval()


def _fold(resnet: torch.nn.Module, model: Model) -> None:
    """Put every batch norm into the convolution before it, while the weights still have all their digits."""
    for names in model.network.convs():
        conv, norm = resnet.get_submodule(names.name), resnet.get_submodule(names.norm)
        assert isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d)
        resnet.set_submodule(names.name, fuse_conv_bn_eval(conv, norm))
        resnet.set_submodule(names.norm, torch.nn.Identity())


def _per_channel(values: tuple[float, float, float]) -> torch.Tensor:
    """Of [0, 1] for levels from 0 to 255, (1, 3, 1, 1)."""
    return torch.tensor(values).mul(255).view(1, 3, 1, 1)
