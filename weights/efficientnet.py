"""EfficientNet-Lite0 (Google, 2020): inverted residual blocks without squeeze and excitation, ReLU6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tagtray.weights.layers import Conv, Network

#: Channels behind the first and the last convolution.
_STEM, _HEAD = 32, 1280


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of one kind; the first of them has the stride."""

    blocks: int
    side: int
    stride: int
    expansion: int
    outputs: int


#: https://github.com/tensorflow/tpu/blob/master/models/official/efficientnet/lite/efficientnet_lite_builder.py
_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """A block: channels are expanded, filtered each by itself, and projected; ReLU6 behind the first two.

    ``adds``: what came in is added to what goes out.
    """

    name: str
    expand: Conv | None
    depthwise: Conv
    project: Conv
    adds: bool


@dataclass(frozen=True, slots=True)
class EfficientNetLite(Network):
    """The network, with the keys of the PyPI package ``efficientnet-lite-pytorch``."""

    classifier: ClassVar[str] = "_fc"
    epsilon: ClassVar[float] = 1e-3
    #: So that every layer's input has an even side, as the padding expects.
    multiple: ClassVar[int] = 32
    stages: tuple[Stage, ...] = _STAGES

    @property
    def features(self) -> int:
        """Values of the pooled feature vector."""
        return _HEAD

    @property
    def stem(self) -> Conv:
        """The first convolution; ReLU6 follows."""
        return Conv("_conv_stem", "_bn0", 3, _STEM, side=3, stride=2, same=True)

    @property
    def head(self) -> Conv:
        """The last convolution; ReLU6 follows."""
        return Conv("_conv_head", "_bn1", self.stages[-1].outputs, _HEAD, side=1)

    def blocks(self) -> Iterator[InvertedResidual]:
        """Every block, in order."""
        inputs, number = _STEM, 0
        for stage in self.stages:
            for nth in range(stage.blocks):
                yield _block(f"_blocks.{number}", inputs, stage, stage.stride if nth == 0 else 1)
                inputs, number = stage.outputs, number + 1

    def convs(self) -> Iterator[Conv]:
        """Every convolution, in order."""
        yield self.stem
        for block in self.blocks():
            if block.expand:
                yield block.expand
            yield from (block.depthwise, block.project)
        yield self.head


def _block(name: str, inputs: int, stage: Stage, stride: int) -> InvertedResidual:
    wide = inputs * stage.expansion
    depthwise = f"{name}._depthwise_conv", f"{name}._bn1"
    expand = Conv(f"{name}._expand_conv", f"{name}._bn0", inputs, wide, side=1)
    return InvertedResidual(
        name,
        expand if stage.expansion > 1 else None,
        Conv(*depthwise, wide, wide, stage.side, stride, groups=wide, same=True),
        Conv(f"{name}._project_conv", f"{name}._bn2", wide, stage.outputs, side=1),
        adds=stride == 1 and inputs == stage.outputs,
    )
