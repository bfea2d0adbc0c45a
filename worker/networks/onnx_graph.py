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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tagtray.config.errors import WeightsError
from tagtray.weights import manifest
from tagtray.worker.networks import activation_ranges, cache, onnx_variants, quantize
from tagtray.worker.networks.input_spec import CLASSES, IMAGE_SIDE, MEAN, STD
from tagtray.worker.networks.onnx_variants import Form

#: Operator set and file version: old enough for every runtime of the last years.
OPSET, IR_VERSION = 17, 9
#: Added to a batch norm's variance (torch.nn.BatchNorm2d).
EPSILON = 1e-5
#: Convolutions that int8 leaves in fp32. On photos of other sources the stem's wide range and the pixels
#: made three quarters of the divergence from fp32; the second set is what rounded sums cost the most.
FLOAT = frozenset({"conv1", "layer1.0.conv1"})
FLOAT_SUMS = FLOAT | {"layer1.0.conv2", "layer4.0.conv2"}
#: Names of input and output.
PIXELS, LOGITS = "pixels", "logits"

Array = NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class _Conv:
    """One convolution: its names in the weights file, stride, and whether a ReLU follows."""

    name: str
    norm: str
    stride: int = 1
    relu: bool = True


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

    def quantised(self, tensor: str) -> str:
        """The tensor through uint8 and back; made once."""
        if tensor not in self._rounded:
            self._rounded[tensor] = self._quantised(tensor)
        return self._rounded[tensor]

    def _quantised(self, tensor: str) -> str:
        low, high = self._limits[tensor]
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / 255
        parameters = [
            self.constant(f"{tensor}.scale", np.array(scale, np.float32)),
            self.constant(f"{tensor}.zero", np.array(round(-low / scale), np.uint8)),
        ]
        self.node("QuantizeLinear", [tensor, *parameters], f"{tensor}.uint8")
        return self.node("DequantizeLinear", [f"{tensor}.uint8", *parameters], f"{tensor}.rounded")

    def conv(self, source: str, conv: _Conv, output: str, pixel_scale: Array | None = None) -> str:
        """Convolution with its batch norm, and ReLU where one follows, of ``source`` into ``output``."""
        weight, bias = self._folded(conv)
        if pixel_scale is not None:
            weight = weight / pixel_scale
        if self.is_int8(conv.name):
            source = self.quantised(source)
        side = weight.shape[-1]
        tensors = [source, self._weight(conv.name, weight), self.constant(f"{conv.name}.bias", bias)]
        self.node(
            "Conv",
            tensors,
            f"{output}.conv" if conv.relu else output,
            kernel_shape=[side, side],
            strides=[conv.stride] * 2,
            pads=[side // 2] * 4,
        )
        return self.node("Relu", [f"{output}.conv"], output) if conv.relu else output

    def linear(self, source: str, name: str, output: str) -> str:
        """Fully connected layer, in fp32 always: as fast, and half of int8's error."""
        weight = self.constant(f"{name}.weight", self._state[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self._state[f"{name}.bias"])
        return self.node("Gemm", [source, weight, bias], output, transB=1)

    def _folded(self, conv: _Conv) -> tuple[Array, Array]:
        weight = self._state[f"{conv.name}.weight"]
        gain, shift, mean, variance = (
            self._state[f"{conv.norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / np.sqrt(variance + np.float32(EPSILON))
        return weight * factor[:, None, None, None], shift - mean * factor

    def _weight(self, name: str, weight: Array) -> str:
        if not self.is_int8(name):
            return self.constant(f"{name}.weight", weight)
        steps, scale = quantize.quantise(weight)
        tensors = [
            self.constant(f"{name}.weight.int8", steps),
            self.constant(f"{name}.weight.scale", scale),
            self.constant(f"{name}.weight.zero", np.zeros(len(scale), np.int8)),
        ]
        return self.node("DequantizeLinear", tensors, f"{name}.weight", axis=0)


def build(weights: bytes, form: Form, limits: Ranges | None = None) -> onnx.ModelProto:
    """Make the network of a safetensors file: ``pixels`` (n, 224, 224, 3) uint8 -> ``logits`` (n, 1000).

    ``limits`` are the ranges of ``worker.networks.activation_ranges``, needed for int8. Raises WeightsError
    where the bytes do
    not fit the architecture.
    """
    try:
        state = {name: _full(value) for name, value in safetensors.numpy.load(weights).items()}
        graph = _Graph(state, form, limits or {})
        _resnet18(graph, form)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise WeightsError("The weights file does not hold a ResNet-18 of 1,000 classes.") from error
    shape: list[str | int | None] = ["n", IMAGE_SIDE, IMAGE_SIDE, 3]
    inputs = [helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, shape)]
    outputs = [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["n", CLASSES])]
    whole = helper.make_graph(graph.nodes, "resnet18", inputs, outputs, graph.constants)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _resnet18(graph: _Graph, form: Form) -> None:
    """torchvision.models.resnet18, with tensors named after its modules."""
    tensor = graph.node("Transpose", [PIXELS], "planes", perm=[0, 3, 1, 2])
    tensor = graph.node("Cast", [tensor], "numbers", to=TensorProto.FLOAT)
    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) * 255 for values in (MEAN, STD))
    tensor = graph.node("Sub", [tensor, graph.constant("offset", mean)], "centred")
    tensor = graph.conv(tensor, _Conv("conv1", "bn1", 2), "stem", std)
    pooling = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    tensor = graph.node("MaxPool", [tensor], "maxpool", **pooling)
    for layer in range(1, 5):
        for block in range(2):
            tensor = _block(graph, form, tensor, f"layer{layer}.{block}", 2 if layer > 1 > block else 1)
    tensor = graph.node("Flatten", [graph.node("GlobalAveragePool", [tensor], "avgpool")], "features")
    graph.linear(tensor, "fc", LOGITS)


def _block(graph: _Graph, form: Form, source: str, name: str, stride: int) -> str:
    """torchvision's BasicBlock; a stride comes with a convolution in the shortcut."""

    def addend(conv: _Conv, tensor: str) -> str:
        return graph.quantised(tensor) if form.sums and graph.is_int8(conv.name) else tensor

    first = _Conv(f"{name}.conv1", f"{name}.bn1", stride)
    second = _Conv(f"{name}.conv2", f"{name}.bn2", relu=False)
    inner = graph.conv(source, first, f"{name}.relu")
    main = addend(second, graph.conv(inner, second, f"{name}.main"))
    if stride > 1:
        shortcut = _Conv(f"{name}.downsample.0", f"{name}.downsample.1", stride, relu=False)
        source = addend(shortcut, graph.conv(source, shortcut, f"{name}.shortcut"))
    graph.node("Add", [main, source], f"{name}.sum")
    return graph.node("Relu", [f"{name}.sum"], f"{name}.out")


def _full(value: Array) -> Array:
    return value.astype(np.float32) if value.dtype == np.float16 else value


def main(arguments: list[str]) -> int:
    """Make TARGET and its record from the weights of MODEL."""
    name, form, target = arguments[0], onnx_variants.parse(arguments[1]), Path(arguments[2])
    try:
        model = manifest.model(name)
        manifest.verify(model)
        limits = activation_ranges.load(model) if form.precision == "int8" else None
        cache.keep(target, build(manifest.path(model).read_bytes(), form, limits).SerializeToString())
    except (OSError, WeightsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
