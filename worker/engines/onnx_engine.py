"""The engine of the extra ``onnx``: ONNX Runtime on the CPU, fp32 or int8, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from tagtray.weights import manifest
from tagtray.worker.engines import rollup
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.networks import onnx_variants

#: Name of input and output in ``worker.networks.onnx_graph``, which is not imported for it: it needs onnx.
PIXELS, LOGITS = "pixels", "logits"


class OnnxClassifier(BatchClassifier):
    """Classifier on an ONNX Runtime session; it reads the slots and writes the logits where they lie."""

    engine = "onnx"

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        roll_up: rollup.RollUp,
        batch_size: int,
        threads: int = 1,
        precision: str = "fp32",
    ) -> None:
        super().__init__(roll_up, batch_size, threads, precision)
        self._session = session
        self._binding = session.io_binding()

    def _forward(self, start: int, stop: int) -> None:
        pixels, logits = self._slots[start:stop], self._logits[start:stop]
        self._binding.bind_input(PIXELS, "cpu", 0, np.uint8, pixels.shape, pixels.ctypes.data)
        self._binding.bind_output(LOGITS, "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self._session.run_with_iobinding(self._binding)


def load(
    model: manifest.ModelEntry,
    home: Path,
    roll_up: rollup.RollUp,
    batch_size: int,
    threads: int = 1,
    precision: str = "fp32",
) -> OnnxClassifier:
    """Make a classifier of a model that ships; ``home`` keeps its ONNX file.

    Raises WeightsError where the weights are not what the manifest says, InfrastructureError.
    """
    with onnx_variants.opened(model, onnx_variants.fitting(precision, sums=True), home) as file:
        # By descriptor: the very file that was hashed.
        session = onnxruntime.InferenceSession(
            f"/proc/self/fd/{file.fileno()}", _options(threads), providers=["CPUExecutionProvider"]
        )
    return OnnxClassifier(session, roll_up, batch_size, threads, precision)


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the cores from decoders: 75 against 108 images/s on two shared cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
