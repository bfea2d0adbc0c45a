"""The engine of the extra ``openvino``: OpenVINO on the CPU, fp32, bf16 or int8, without torch."""

from __future__ import annotations

from pathlib import Path

import openvino

from tagtray.weights.model import Model
from tagtray.worker.engines import cpu_features, rollup
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.networks import onnx_variants


class OpenVinoClassifier(BatchClassifier):
    """Classifier on an OpenVINO request; it reads the slots and writes its answers where they belong."""

    engine = "openvino"

    def __init__(
        self,
        model: Model,
        network: openvino.CompiledModel,
        roll_up: rollup.RollUp,
        batch_size: int,
        threads: int = 1,
        precision: str = "fp32",
    ) -> None:
        super().__init__(model, roll_up, batch_size, threads, precision)
        self._request = network.create_infer_request()

    def _forward(self, start: int, stop: int) -> None:
        self._request.set_input_tensor(openvino.Tensor(self._slots[start:stop], shared_memory=True))
        # In the order of the graph's outputs.
        for number, buffer in enumerate((self._logits, self._features)):
            self._request.set_output_tensor(number, openvino.Tensor(buffer[start:stop], shared_memory=True))
        self._request.infer()


def load(
    model: Model,
    home: Path,
    roll_up: rollup.RollUp,
    batch_size: int,
    threads: int = 1,
    precision: str = "fp32",
) -> OpenVinoClassifier:
    """Make a classifier of a model; ``home`` keeps its ONNX file.

    Raises WeightsError where the weights are not what the manifest says, InfrastructureError.
    """
    with onnx_variants.opened(model, onnx_variants.fitting(precision, sums=False), home) as file:
        network = openvino.Core().read_model(file.read())
    compiled = openvino.Core().compile_model(network, "CPU", _options(threads, precision))
    return OpenVinoClassifier(model, compiled, roll_up, batch_size, threads, precision)


def has_bf16() -> bool:
    """Whether OpenVINO computes in bf16 natively on this processor."""
    return (
        "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        and cpu_features.onednn_may_use_bf16()
    )


def _options(threads: int, precision: str) -> dict[str, str | int | bool]:
    # What int8 leaves in floating point is bf16 where that is native: with AMX, twice as fast.
    bf16 = precision == "bf16" or (precision == "int8" and has_bf16())
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
