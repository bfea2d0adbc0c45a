"""The network with its preprocessing as an ONNX file for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from tagtray.config.errors import UsageError
from tagtray.weights import catalogue, manifest
from tagtray.worker.networks import onnx_graph
from tagtray.worker.networks.input_spec import CLASSES
from tagtray.worker.networks.onnx_variants import Form

#: Name of the output that is added to the logits.
PROBABILITIES = "probabilities"


def export(model: manifest.ModelEntry, target: Path) -> None:
    """Write ``target``: ``pixels`` (n, 224, 224, 3) uint8 RGB -> ``logits`` and ``probabilities`` (n, 1000).

    Pixels are those of a photo whose shorter side was made 256 and of which the centre was cropped;
    normalisation and softmax are inside. The labels and how to prepare a photo are in the file's metadata.
    Raises UsageError where the file cannot be written, WeightsError.
    """
    manifest.verify(model)
    network = onnx_graph.build(manifest.path(model).read_bytes(), Form("fp32"))
    network.graph.node.append(helper.make_node("Softmax", [onnx_graph.LOGITS], [PROBABILITIES], axis=1))
    network.graph.output.append(
        helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["n", CLASSES])
    )
    helper.set_model_props(network, _metadata(model))
    onnx.checker.check_model(network)
    try:
        target.write_bytes(network.SerializeToString())
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from error


def _metadata(model: manifest.ModelEntry) -> dict[str, str]:
    how = model.preprocess
    return {
        "model": model.name,
        "weights_sha256": model.weights.sha256,
        "licence": model.licence,
        "input": f"RGB, shorter side {how.resize} ({how.interpolation}), centre {how.crop} x {how.crop}",
        "labels": json.dumps([label.name for label in catalogue.labels()], ensure_ascii=False),
    }
