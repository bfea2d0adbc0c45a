"""The network as torchvision defines it, from the embedded weights, with the normalisation inside."""

from __future__ import annotations

import safetensors
import safetensors.torch
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tagtray.config.errors import WeightsError
from tagtray.worker.networks.input_spec import MEAN, STD

#: What torch computes in, by precision.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
#: Names of a convolution and of the batch norm behind it, in a ResNet's stem and blocks and in a shortcut.
_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("0", "1"))


class Network(torch.nn.Module):
    """(n, 3, 224, 224) uint8 RGB in channels_last -> logits (n, 1000) float32, for any n.

    ``(x / 255 - mean) / std`` is split in two: ``x - 255 mean`` is the first operation and the division by
    ``255 std`` lies in the first convolution. The zeros that this one pads with stand for the mean in both
    forms, so that the split is exact; to move the subtraction in as well would be wrong at the borders.
    """

    offset: torch.Tensor

    def __init__(self, backbone: torch.nn.Module, first: torch.nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        scale = torch.tensor(STD).mul(255).view(1, 3, 1, 1)
        first.weight.data.div_(scale)
        self.dtype = dtype
        self.backbone = backbone.to(dtype).to(memory_format=torch.channels_last)
        self.register_buffer("offset", torch.tensor(MEAN).mul(255).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of pixels."""
        logits: torch.Tensor = self.backbone((pixels - self.offset).to(self.dtype))
        return logits.float()


def build(weights: bytes, dtype: torch.dtype = torch.float32) -> Network:
    """Make torchvision's ResNet-18 in evaluation mode of a safetensors file (fp16 or fp32 values).

    Nothing is downloaded. Raises WeightsError where the bytes do not fit the architecture.
    """
    # Only the process that traces needs torchvision: its import takes over a second and 160 MB.
    from torchvision.models import resnet18  # type: ignore[import-untyped]

    try:
        state = safetensors.torch.load(weights)
        model = resnet18()
        model.load_state_dict({name: _full(value) for name, value in state.items()})
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise WeightsError("The weights file does not hold a ResNet-18 of 1,000 classes.") from error
    _fold(model.eval())
    return Network(model, model.conv1, dtype).eval()


def _fold(model: torch.nn.Module) -> None:
    """Put every batch norm into the convolution before it, while the weights still have all their digits."""
    for module in list(model.modules()):
        for conv, norm in _PAIRS:
            if isinstance(getattr(module, norm, None), torch.nn.BatchNorm2d):
                setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
                setattr(module, norm, torch.nn.Identity())


def _full(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
