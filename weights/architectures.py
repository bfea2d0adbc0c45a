"""The architectures that can be run, as tables that every builder reads: torchvision's ResNets, and Lite0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tagtray.weights.efficientnet import EfficientNetLite
from tagtray.weights.layers import Conv, Network, Shape

#: Channels inside the blocks of the four stages; a stage after the first halves both sides of the image.
_CHANNELS = (64, 128, 256, 512)
#: Pixels of the input that become one of the last stage, along each side.
REDUCTION = 32


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block: its convolutions in order, and the one in its shortcut, where the shape changes."""

    name: str
    convs: tuple[Conv, ...]
    shortcut: Conv | None


@dataclass(frozen=True, slots=True)
class ResNet(Network):
    """``torchvision.models.resnet.ResNet``: blocks in each of its four stages, basic or bottleneck."""

    classifier: ClassVar[str] = "fc"
    epsilon: ClassVar[float] = 1e-5
    layers: tuple[int, int, int, int]
    bottleneck: bool = False

    @property
    def features(self) -> int:
        """Values of the pooled feature vector, which the classifier reads."""
        return _CHANNELS[-1] * self._expansion

    @property
    def stem(self) -> Conv:
        """The first convolution; a 3 x 3 max pooling of stride 2 follows."""
        return Conv("conv1", "bn1", 3, _CHANNELS[0], side=7, stride=2)

    def blocks(self) -> Iterator[Block]:
        """Every block, in order."""
        inputs = self.stem.outputs
        for stage, (channels, count) in enumerate(zip(_CHANNELS, self.layers, strict=True), start=1):
            for number in range(count):
                stride = 2 if stage > 1 and number == 0 else 1
                yield self._block(f"layer{stage}.{number}", inputs, channels, stride)
                inputs = channels * self._expansion

    def convs(self) -> Iterator[Conv]:
        """Every convolution, in order."""
        yield self.stem
        for block in self.blocks():
            yield from block.convs
            if block.shortcut:
                yield block.shortcut

    @property
    def _expansion(self) -> int:
        return 4 if self.bottleneck else 1

    def _block(self, name: str, inputs: int, channels: int, stride: int) -> Block:
        outputs = channels * self._expansion
        sides = (1, 3, 1) if self.bottleneck else (3, 3)
        # torchvision strides in the 3 x 3 convolution of a bottleneck, and in the first one of a basic block.
        strides = (1, stride, 1) if self.bottleneck else (stride, 1)
        widths = (inputs, *(channels for _ in sides[1:]), outputs)
        convs = tuple(
            Conv(f"{name}.conv{n + 1}", f"{name}.bn{n + 1}", widths[n], widths[n + 1], side, strides[n])
            for n, side in enumerate(sides)
        )
        if stride == 1 and inputs == outputs:
            return Block(name, convs, None)
        downsample = f"{name}.downsample"
        return Block(name, convs, Conv(f"{downsample}.0", f"{downsample}.1", inputs, outputs, 1, stride))


#: By name, as in a model's description. All ResNets but resnet20 are torchvision's own.
ARCHITECTURES: Mapping[str, Network] = {
    "resnet18": ResNet((2, 2, 2, 2)),
    "resnet20": ResNet((2, 2, 2, 3)),
    "resnet34": ResNet((3, 4, 6, 3)),
    "resnet50": ResNet((3, 4, 6, 3), bottleneck=True),
    "resnet101": ResNet((3, 4, 23, 3), bottleneck=True),
    "resnet152": ResNet((3, 8, 36, 3), bottleneck=True),
    "efficientnet-lite0": EfficientNetLite(),
}
#: Those that torchvision publishes weights of.
OFFICIAL = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def recognise(shapes: Mapping[str, Shape]) -> str | None:
    """The architecture whose convolutions these are; None where there is none."""
    kernels = {name: shape for name, shape in shapes.items() if len(shape) == 4}
    for name, network in ARCHITECTURES.items():
        if {key: shape for key, shape in network.shapes(1).items() if len(shape) == 4} == kernels:
            return name
    return None
