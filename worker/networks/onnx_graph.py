"""The network as an ONNX file for other engines, built from the weights alone, without torch.

It is the network of ``worker.networks.eager`` with the same split of the normalisation and every batch norm
in the convolution before it. In int8 a block adds what was not rounded, and some convolutions stay in fp32.

``python -m tagtray.worker.networks.onnx_graph MODEL FORM TARGET`` makes one for the cache.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tagtray.weights.architectures import ResNet
from tagtray.weights.efficientnet import EfficientNetLite
from tagtray.weights.model import Model
from tagtray.worker.networks import activation_ranges, cache, onnx_layers, onnx_variants, state_dict
from tagtray.worker.networks.onnx_nodes import Graph, Ranges
from tagtray.worker.networks.onnx_variants import Form

#: Operator set and file version: old enough for every runtime of the last years.
OPSET, IR_VERSION = 17, 9
#: Names of the input and the outputs.
PIXELS, LOGITS, FEATURES = "pixels", "logits", "features"


def build(model: Model, form: Form, limits: Ranges | None = None) -> onnx.ModelProto:
    """The network: ``pixels`` (n, side, side, 3) uint8 -> ``logits`` (n, classes), ``features`` (n, F).

    ``limits`` are the ranges of ``worker.networks.activation_ranges``, needed for int8. Raises WeightsError
    where the weights do not fit the architecture.
    """
    graph = _graph(model, form, limits or {})
    side = model.input.side
    inputs = [helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["n", side, side, 3])]
    outputs = [
        helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["n", model.classes]),
        helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["n", model.network.features]),
    ]
    whole = helper.make_graph(graph.nodes, model.name, inputs, outputs, graph.constants)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _graph(model: Model, form: Form, limits: Ranges) -> Graph:
    """The nodes from the pixels to the logits."""
    network, state = model.network, state_dict.load(model)
    graph = Graph(state, network.epsilon, onnx_layers.in_int8(network, form), form.sums, limits)
    tensor = graph.node("Transpose", [PIXELS], "planes", perm=[0, 3, 1, 2])
    tensor = graph.node("Cast", [tensor], "numbers", to=TensorProto.FLOAT)
    mean, std = (
        np.array(values, np.float32).reshape(1, 3, 1, 1) * 255
        for values in (model.input.mean, model.input.std)
    )
    tensor = graph.node("Sub", [tensor, graph.constant("offset", mean)], "centred")
    match network:
        case ResNet():
            tensor = onnx_layers.resnet(graph, network, tensor, std)
        case EfficientNetLite():
            tensor = onnx_layers.efficientnet_lite(graph, network, tensor, std)
        case other:
            raise NotImplementedError(type(other).__name__)
    tensor = graph.node("Flatten", [graph.node("GlobalAveragePool", [tensor], "avgpool")], FEATURES)
    graph.linear(tensor, network.classifier, LOGITS)
    return graph


def main(arguments: list[str]) -> int:
    """Make TARGET and its record from MODEL, which is JSON."""
    model, form, target = Model.from_json(arguments[0]), onnx_variants.parse(arguments[1]), Path(arguments[2])
    return cache.make(target, lambda: _file(model, form))


def _file(model: Model, form: Form) -> bytes:
    limits = activation_ranges.load(model) if form.precision == "int8" else None
    file: bytes = build(model, form, limits).SerializeToString()
    return file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
