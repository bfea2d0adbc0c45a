"""The network as PyTorch runs it, with the normalisation inside and the pooled features beside."""

from __future__ import annotations

import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tagtray.weights.architectures import ResNet
from tagtray.weights.efficientnet import EfficientNetLite
from tagtray.weights.model import InputSpec, Model
from tagtray.worker.networks import efficientnet, state_dict

#: What torch computes in, by precision.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Network(torch.nn.Module):
    """(n, 3, side, side) uint8 RGB in channels_last -> logits (n, classes), features (n, F), for any n.

    ``backbone`` gives the features, ``classifier`` reads them. ``(x / 255 - mean) / std`` is split in two:
    ``x - 255 mean`` is the first operation and the division by ``255 std`` lies in the first convolution,
    ``stem``. The zeros that this one pads with stand for the mean in both forms, so that the split is exact;
    to move the subtraction in as well would be wrong at the borders.
    """

    offset: torch.Tensor

    def __init__(
        self,
        backbone: torch.nn.Module,
        classifier: torch.nn.Module,
        stem: str,
        spec: InputSpec,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.dtype = dtype
        backbone.get_parameter(f"{stem}.weight").data.div_(_per_channel(spec.std))
        self.classifier = classifier.to(dtype)
        self.backbone = backbone.to(dtype).to(memory_format=torch.channels_last)
        self.register_buffer("offset", _per_channel(spec.mean))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and features of a batch of pixels."""
        features: torch.Tensor = self.backbone((pixels - self.offset).to(self.dtype))
        logits: torch.Tensor = self.classifier(features)
        return logits.float(), features.float()


def build(model: Model, dtype: torch.dtype = torch.float32) -> Network:
    """Make the network of a model's architecture and weights, in evaluation mode.

    Nothing is downloaded. Raises WeightsError where the weights do not fit the architecture.
    """
    state = state_dict.load(model)
    whole = _bare(model)
    whole.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    _fold(whole.eval(), model)
    last = model.network.classifier
    classifier = whole.get_submodule(last)
    whole.set_submodule(last, torch.nn.Identity())
    return Network(whole, classifier, model.network.stem.name, model.input, dtype).eval()


def _bare(model: Model) -> torch.nn.Module:
    """The architecture with weights of its own."""
    match model.network:
        case ResNet(layers=layers, bottleneck=bottleneck):
            # Only the process that traces needs torchvision: its import takes over a second and 160 MB.
            from torchvision.models import resnet  # type: ignore[import-untyped]

            block = resnet.Bottleneck if bottleneck else resnet.BasicBlock
            made: torch.nn.Module = resnet.ResNet(block, list(layers), num_classes=model.classes)
            return made
        case EfficientNetLite() as table:
            return efficientnet.Lite(table, model.classes)
        case other:
            raise NotImplementedError(type(other).__name__)


def _fold(network: torch.nn.Module, model: Model) -> None:
    """Put every batch norm into the convolution before it, while the weights still have all their digits."""
    for names in model.network.convs():
        conv, norm = network.get_submodule(names.name), network.get_submodule(names.norm)
        assert isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d)
        network.set_submodule(names.name, fuse_conv_bn_eval(conv, norm))
        network.set_submodule(names.norm, torch.nn.Identity())


def _per_channel(values: tuple[float, float, float]) -> torch.Tensor:
    """Of [0, 1] for levels from 0 to 255, (1, 3, 1, 1)."""
    return torch.tensor(values).mul(255).view(1, 3, 1, 1)
