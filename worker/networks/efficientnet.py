"""EfficientNet-Lite as a PyTorch module, under the keys of its weights; every norm may be an Identity."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from tagtray.weights.efficientnet import EfficientNetLite, InvertedResidual
from tagtray.weights.layers import Conv


class Lite(nn.Module):
    """(n, 3, side, side) float -> logits (n, classes); a side of a multiple of 32."""

    def __init__(self, table: EfficientNetLite, classes: int) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _layers(table.stem, table.epsilon)
        self._blocks = nn.ModuleList(Block(block, table.epsilon) for block in table.blocks())
        self._conv_head, self._bn1 = _layers(table.head, table.epsilon)
        self._fc = nn.Linear(table.features, classes)
        self._stem = table.stem

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of a batch."""
        found = functional.relu6(self._bn0(self._conv_stem(_padded(pixels, self._stem))))
        for block in self._blocks:
            found = block(found)
        found = functional.relu6(self._bn1(self._conv_head(found)))
        logits: torch.Tensor = self._fc(functional.adaptive_avg_pool2d(found, 1).flatten(1))
        return logits


class Block(nn.Module):
    """An inverted residual block."""

    def __init__(self, table: InvertedResidual, epsilon: float) -> None:
        super().__init__()
        self._table = table
        if table.expand:
            self._expand_conv, self._bn0 = _layers(table.expand, epsilon)
        self._depthwise_conv, self._bn1 = _layers(table.depthwise, epsilon)
        self._project_conv, self._bn2 = _layers(table.project, epsilon)

    def forward(self, source: torch.Tensor) -> torch.Tensor:
        """What the next block reads."""
        found: torch.Tensor = source
        if self._table.expand:
            found = functional.relu6(self._bn0(self._expand_conv(found)))
        found = _padded(found, self._table.depthwise)
        found = functional.relu6(self._bn1(self._depthwise_conv(found)))
        found = self._bn2(self._project_conv(found))
        return torch.add(found, source) if self._table.adds else found


def _layers(conv: Conv, epsilon: float) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    before, after = conv.pads
    made = nn.Conv2d(
        conv.inputs,
        conv.outputs,
        conv.side,
        conv.stride,
        padding=before if before == after else 0,
        groups=conv.groups,
        bias=False,
    )
    return made, nn.BatchNorm2d(conv.outputs, eps=epsilon)


def _padded(tensor: torch.Tensor, conv: Conv) -> torch.Tensor:
    """With the zeros that a convolution cannot add by itself: other ones before than behind."""
    before, after = conv.pads
    return tensor if before == after else functional.pad(tensor, (before, after, before, after))
