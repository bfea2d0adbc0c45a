"""The network as an ONNX file for other engines, built from the weights alone, without torch.

It is the network of ``worker.networks.resnet`` with the same split of the normalisation and every batch
norm in the convolution before it. int8 is written as QuantizeLinear/DequantizeLinear pairs around fp32
operators ("QDQ"): activations uint8 with one range per tensor, weights int8 with one scale per output
channel. A block adds what was not rounded, and the convolutions in ``FLOAT`` stay in fp32.

``python -m tagtray.worker.networks.onnx_graph MODEL FORM TARGET`` makes one for the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tagtray.config.errors import WeightsError
from tagtray.weights.architectures import Block, Conv
from tagtray.weights.model import Model
from tagtray.worker.networks import activation_ranges, cache, onnx_variants, quantize, state_dict
from tagtray.worker.networks.onnx_variants import Form

#: Operator set and file version: old enough for every runtime of the last years.
OPSET, IR_VERSION = 17, 9
#: Added to a batch norm's variance (torch.nn.BatchNorm2d).
EPSILON = 1e-5
#: Convolutions that int8 leaves in fp32. On photos of other sources the stem's wide range and the pixels
#: made three quarters of the divergence from fp32; the second set is what rounded sums cost the most.
FLOAT = frozenset({"conv1", "layer1.0.conv1"})
FLOAT_SUMS = FLOAT | {"layer1.0.conv2", "layer4.0.conv2"}
#: Names of the input and the outputs.
PIXELS, LOGITS, FEATURES = "pixels", "logits", "features"

Array = NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]


class _Graph:
    """Nodes and constants of a graph in the making; a tensor is known by its name."""

    def __init__(self, state: Mapping[str, Array], form: Form, limits: Ranges) -> None:
        self._state = state
        self._form = form
        self._limits = limits
        self._rounded: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Array) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def is_int8(self, name: str) -> bool:
        """Whether this convolution is computed in int8."""
        return self._form.precision == "int8" and name not in (FLOAT_SUMS if self._form.sums else FLOAT)

    def quantized(self, tensor: str) -> str:
        """The tensor through uint8 and back; made once."""
        if tensor not in self._rounded:
            self._rounded[tensor] = self._quantized(tensor)
        return self._rounded[tensor]

    def _quantized(self, tensor: str) -> str:
        low, high = self._limits[tensor]
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / 255
        parameters = [
            self.constant(f"{tensor}.scale", np.array(scale, np.float32)),
            self.constant(f"{tensor}.zero", np.array(round(-low / scale), np.uint8)),
        ]
        self.node("QuantizeLinear", [tensor, *parameters], f"{tensor}.uint8")
        return self.node("DequantizeLinear", [f"{tensor}.uint8", *parameters], f"{tensor}.rounded")

    def conv(self, source: str, conv: Conv, output: str, pixel_scale: Array | None = None) -> str:
        """Convolution with its batch norm, of ``source`` into ``output``."""
        weight, bias = self._folded(conv)
        if pixel_scale is not None:
            weight = weight / pixel_scale
        if self.is_int8(conv.name):
            source = self.quantized(source)
        tensors = [source, self._weight(conv.name, weight), self.constant(f"{conv.name}.bias", bias)]
        return self.node(
            "Conv",
            tensors,
            output,
            kernel_shape=[conv.side] * 2,
            strides=[conv.stride] * 2,
            pads=[conv.side // 2] * 4,
        )

    def conv_relu(self, source: str, conv: Conv, output: str, pixel_scale: Array | None = None) -> str:
        """As ``conv``, with a ReLU behind it."""
        return self.node("Relu", [self.conv(source, conv, f"{output}.conv", pixel_scale)], output)

    def linear(self, source: str, name: str, output: str) -> str:
        """Fully connected layer, in fp32 always: as fast, and half of int8's error."""
        weight = self.constant(f"{name}.weight", self._state[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self._state[f"{name}.bias"])
        return self.node("Gemm", [source, weight, bias], output, transB=1)

    def _folded(self, conv: Conv) -> tuple[Array, Array]:
        weight = self._state[f"{conv.name}.weight"]
        gain, shift, mean, variance = (
            self._state[f"{conv.norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / np.sqrt(variance + np.float32(EPSILON))
        return weight * factor[:, None, None, None], shift - mean * factor

    def _weight(self, name: str, weight: Array) -> str:
        if not self.is_int8(name):
            return self.constant(f"{name}.weight", weight)
        steps, scale = quantize.quantize(weight)
        tensors = [
            self.constant(f"{name}.weight.int8", steps),
            self.constant(f"{name}.weight.scale", scale),
            self.constant(f"{name}.weight.zero", np.zeros(len(scale), np.int8)),
        ]
        return self.node("DequantizeLinear", tensors, f"{name}.weight", axis=0)


def build(model: Model, form: Form, limits: Ranges | None = None) -> onnx.ModelProto:
    """The network: ``pixels`` (n, side, side, 3) uint8 -> ``logits`` (n, classes), ``features`` (n, F).

    ``limits`` are the ranges of ``worker.networks.activation_ranges``, needed for int8. Raises WeightsError
    where the weights do not fit the architecture.
    """
    graph = _Graph(state_dict.load(model), form, limits or {})
    _resnet(graph, form, model)
    side = model.input.side
    inputs = [helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["n", side, side, 3])]
    outputs = [
        helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["n", model.classes]),
        helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["n", model.network.features]),
    ]
    whole = helper.make_graph(graph.nodes, model.name, inputs, outputs, graph.constants)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _resnet(graph: _Graph, form: Form, model: Model) -> None:
    """torchvision's ResNet, with tensors named after its modules."""
    tensor = graph.node("Transpose", [PIXELS], "planes", perm=[0, 3, 1, 2])
    tensor = graph.node("Cast", [tensor], "numbers", to=TensorProto.FLOAT)
    mean, std = (
        np.array(values, np.float32).reshape(1, 3, 1, 1) * 255
        for values in (model.input.mean, model.input.std)
    )
    tensor = graph.node("Sub", [tensor, graph.constant("offset", mean)], "centred")
    tensor = graph.conv_relu(tensor, model.network.stem, "stem", std)
    pooling = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    tensor = graph.node("MaxPool", [tensor], "maxpool", **pooling)
    for block in model.network.blocks():
        tensor = _block(graph, form, tensor, block)
    tensor = graph.node("Flatten", [graph.node("GlobalAveragePool", [tensor], "avgpool")], FEATURES)
    graph.linear(tensor, "fc", LOGITS)


def _block(graph: _Graph, form: Form, source: str, block: Block) -> str:
    """A residual block: a ReLU behind each convolution but the last and the one in the shortcut."""

    def addend(conv: Conv, name: str, tensor: str) -> str:
        tensor = graph.conv(tensor, conv, f"{block.name}.{name}")
        return graph.quantized(tensor) if form.sums and graph.is_int8(conv.name) else tensor

    inner = source
    for number, conv in enumerate(block.convs[:-1], start=1):
        inner = graph.conv_relu(inner, conv, f"{block.name}.relu{number}")
    main = addend(block.convs[-1], "main", inner)
    if block.shortcut:
        source = addend(block.shortcut, "shortcut", source)
    graph.node("Add", [main, source], f"{block.name}.sum")
    return graph.node("Relu", [f"{block.name}.sum"], f"{block.name}.out")


def main(arguments: list[str]) -> int:
    """Make TARGET and its record from MODEL, which is JSON."""
    model, form, target = Model.from_json(arguments[0]), onnx_variants.parse(arguments[1]), Path(arguments[2])
    try:
        limits = activation_ranges.load(model) if form.precision == "int8" else None
        cache.keep(target, build(model, form, limits).SerializeToString())
    except (OSError, WeightsError) as error:
        print(cache.sentence(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
