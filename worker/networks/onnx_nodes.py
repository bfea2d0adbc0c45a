"""Nodes and constants of an ONNX graph in the making, in fp32 or with int8 around its convolutions.

int8 is written as QuantizeLinear/DequantizeLinear pairs around fp32 operators ("QDQ"): activations uint8 with
one range per tensor, weights int8 with one scale per output channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tagtray.weights.layers import Conv
from tagtray.worker.networks import quantize

Array = NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]


class Graph:
    """Nodes and constants; a tensor is known by its name.

    ``int8`` names the convolutions that are computed in it; ``sums``: see ``onnx_variants.Form``.
    """

    def __init__(
        self, state: Mapping[str, Array], epsilon: float, int8: Set[str], sums: bool, limits: Ranges
    ) -> None:
        self._state = state
        self._epsilon = np.float32(epsilon)
        self._int8 = int8
        self.sums = sums
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
        return name in self._int8

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
        before, after = conv.pads
        tensors = [source, self._weight(conv.name, weight), self.constant(f"{conv.name}.bias", bias)]
        return self.node(
            "Conv",
            tensors,
            output,
            kernel_shape=[conv.side] * 2,
            strides=[conv.stride] * 2,
            pads=[before, before, after, after],
            group=conv.groups,
        )

    def conv_relu(self, source: str, conv: Conv, output: str, pixel_scale: Array | None = None) -> str:
        """As ``conv``, with a ReLU behind it."""
        return self.node("Relu", [self.conv(source, conv, f"{output}.conv", pixel_scale)], output)

    def conv_relu6(self, source: str, conv: Conv, output: str, pixel_scale: Array | None = None) -> str:
        """As ``conv``, with a ReLU6 behind it."""
        bounds = [self._bound(name, value) for name, value in (("zero", 0), ("six", 6))]
        return self.node("Clip", [self.conv(source, conv, f"{output}.conv", pixel_scale), *bounds], output)

    def linear(self, source: str, name: str, output: str) -> str:
        """Fully connected layer, in fp32 always: as fast, and half of int8's error."""
        weight = self.constant(f"{name}.weight", self._state[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self._state[f"{name}.bias"])
        return self.node("Gemm", [source, weight, bias], output, transB=1)

    def _bound(self, name: str, value: float) -> str:
        """A constant that several nodes share."""
        if name not in (constant.name for constant in self.constants):
            self.constant(name, np.array(value, np.float32))
        return name

    def _folded(self, conv: Conv) -> tuple[Array, Array]:
        weight = self._state[f"{conv.name}.weight"]
        gain, shift, mean, variance = (
            self._state[f"{conv.norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / np.sqrt(variance + self._epsilon)
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
