"""The network with its preprocessing as an ONNX file for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from tagtray.config.errors import UsageError
from tagtray.weights.model import Model
from tagtray.worker.networks import onnx_graph
from tagtray.worker.networks.onnx_variants import Form

#: Name of the output that is added to the logits.
PROBABILITIES = "probabilities"


def export(model: Model, target: Path) -> None:
    """Write ``target``: ``pixels`` (n, side, side, 3) uint8 RGB in; logits, features and probabilities out.

    Logits and probabilities are (n, classes), features (n, F). Pixels are those of a photo that was resized
    and of which the centre was cropped; normalisation and softmax are inside. The labels and how to prepare
    a photo are in the file's metadata. Raises UsageError where the file cannot be written, WeightsError.
    """
    network = onnx_graph.build(model, Form("fp32"))
    network.graph.node.append(helper.make_node("Softmax", [onnx_graph.LOGITS], [PROBABILITIES], axis=1))
    network.graph.output.append(
        helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["n", model.classes])
    )
    helper.set_model_props(network, _metadata(model))
    onnx.checker.check_model(network)
    try:
        target.write_bytes(network.SerializeToString())
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from error


def _metadata(model: Model) -> dict[str, str]:
    how = model.input
    return {
        "model": model.name,
        "weights_sha256": model.weights.sha256,
        "licence": model.licence or "not known",
        "input": f"RGB, shorter side {how.resize} ({how.interpolation}), centre {how.side} x {how.side}",
        "labels": json.dumps([label.name for label in model.labels.labels], ensure_ascii=False),
    }
