"""The layers of each architecture as ONNX nodes, from the centred pixels to the last map of features."""

from __future__ import annotations

from collections.abc import Set

from tagtray.weights.architectures import Block, ResNet
from tagtray.weights.efficientnet import EfficientNetLite, InvertedResidual
from tagtray.weights.layers import Conv, Network
from tagtray.worker.networks.onnx_nodes import Array, Graph
from tagtray.worker.networks.onnx_variants import Form

#: Convolutions that int8 leaves in fp32. On photos of other sources the stem's wide range and the pixels
#: made three quarters of the divergence from fp32; the second set is what rounded sums cost the most.
FLOAT = frozenset({"conv1", "layer1.0.conv1", "_conv_stem"})
FLOAT_SUMS = FLOAT | {"layer1.0.conv2", "layer4.0.conv2"}


def in_int8(network: Network, form: Form) -> Set[str]:
    """Names of the convolutions that are computed in int8."""
    if form.precision != "int8":
        return frozenset()
    return {conv.name for conv in network.convs()} - (FLOAT_SUMS if form.sums else FLOAT)


def resnet(graph: Graph, network: ResNet, pixels: str, pixel_scale: Array) -> str:
    """torchvision's ResNet, with tensors named after its modules."""
    tensor = graph.conv_relu(pixels, network.stem, "stem", pixel_scale)
    pooling = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    tensor = graph.node("MaxPool", [tensor], "maxpool", **pooling)
    for block in network.blocks():
        tensor = _residual(graph, tensor, block)
    return tensor


def efficientnet_lite(graph: Graph, network: EfficientNetLite, pixels: str, pixel_scale: Array) -> str:
    """EfficientNet-Lite, with tensors named after its blocks."""
    tensor = graph.conv_relu6(pixels, network.stem, "stem", pixel_scale)
    for block in network.blocks():
        tensor = _inverted(graph, tensor, block)
    return graph.conv_relu6(tensor, network.head, "head")


def _residual(graph: Graph, source: str, block: Block) -> str:
    """A residual block: a ReLU behind each convolution but the last and the one in the shortcut."""
    inner = source
    for number, conv in enumerate(block.convs[:-1], start=1):
        inner = graph.conv_relu(inner, conv, f"{block.name}.relu{number}")
    main = _addend(graph, inner, block.convs[-1], f"{block.name}.main")
    if block.shortcut:
        source = _addend(graph, source, block.shortcut, f"{block.name}.shortcut")
    graph.node("Add", [main, source], f"{block.name}.sum")
    return graph.node("Relu", [f"{block.name}.sum"], f"{block.name}.out")


def _inverted(graph: Graph, source: str, block: InvertedResidual) -> str:
    """An inverted residual block: a ReLU6 behind each convolution but the last."""
    inner = source
    if block.expand:
        inner = graph.conv_relu6(inner, block.expand, f"{block.name}.expand")
    inner = graph.conv_relu6(inner, block.depthwise, f"{block.name}.depthwise")
    if not block.adds:
        return graph.conv(inner, block.project, f"{block.name}.out")
    main = _addend(graph, inner, block.project, f"{block.name}.main")
    return graph.node("Add", [main, source], f"{block.name}.out")


def _addend(graph: Graph, source: str, conv: Conv, output: str) -> str:
    """What a convolution hands to the sum of its block."""
    tensor = graph.conv(source, conv, output)
    return graph.quantized(tensor) if graph.sums and graph.is_int8(conv.name) else tensor
