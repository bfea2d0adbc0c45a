"""The engine of the extra ``onnx``: ONNX Runtime on the CPU, fp32 or int8, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from tagtray.weights.model import Model
from tagtray.worker.engines import rollup
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.networks import onnx_variants

#: Names of input and outputs in ``worker.networks.onnx_graph``, which is not imported here: it needs onnx.
PIXELS, LOGITS, FEATURES = "pixels", "logits", "features"


class OnnxClassifier(BatchClassifier):
    """Classifier on an ONNX Runtime session; it reads the slots and writes its answers where they belong."""

    engine = "onnx"

    def __init__(
        self,
        model: Model,
        session: onnxruntime.InferenceSession,
        roll_up: rollup.RollUp,
        batch_size: int,
        threads: int = 1,
        precision: str = "fp32",
    ) -> None:
        super().__init__(model, roll_up, batch_size, threads, precision)
        self._session = session
        self._binding = session.io_binding()

    def _forward(self, start: int, stop: int) -> None:
        pixels = self._slots[start:stop]
        self._binding.bind_input(PIXELS, "cpu", 0, np.uint8, pixels.shape, pixels.ctypes.data)
        for name, buffer in ((LOGITS, self._logits), (FEATURES, self._features)):
            part = buffer[start:stop]
            self._binding.bind_output(name, "cpu", 0, np.float32, part.shape, part.ctypes.data)
        self._session.run_with_iobinding(self._binding)


def load(
    model: Model,
    home: Path,
    roll_up: rollup.RollUp,
    batch_size: int,
    threads: int = 1,
    precision: str = "fp32",
) -> OnnxClassifier:
    """Make a classifier of a model; ``home`` keeps its ONNX file.

    Raises WeightsError where the weights are not what the manifest says, InfrastructureError.
    """
    with onnx_variants.opened(model, onnx_variants.fitting(precision, sums=True), home) as file:
        # By descriptor: the very file that was hashed.
        session = onnxruntime.InferenceSession(
            f"/proc/self/fd/{file.fileno()}", _options(threads), providers=["CPUExecutionProvider"]
        )
    return OnnxClassifier(model, session, roll_up, batch_size, threads, precision)


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the cores from decoders: 75 against 108 images/s on two shared cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
