"""The engine that is always there: TorchScript (``worker.networks.torchscript``) on the CPU, fp32 or bf16."""

from __future__ import annotations

from pathlib import Path

import torch

from tagtray.weights import manifest
from tagtray.worker.engines import rollup
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.networks import torchscript


class TorchClassifier(BatchClassifier):
    """Classifier on a traced network that computes in ``precision``."""

    engine = "torch"

    def __init__(
        self,
        network: torch.jit.ScriptModule,
        roll_up: rollup.RollUp,
        batch_size: int,
        threads: int = 1,
        precision: str = "fp32",
    ) -> None:
        super().__init__(roll_up, batch_size, threads, precision)
        set_threads(threads)
        self._network = network
        # A view of the same memory: (B, 3, 224, 224), which lies there as channels_last.
        self._input = torch.from_numpy(self._slots).permute(0, 3, 1, 2)
        self._output = torch.from_numpy(self._logits)

    @torch.inference_mode()
    def _forward(self, start: int, stop: int) -> None:
        self._output[start:stop] = self._network(self._input[start:stop])


def load(
    model: manifest.ModelEntry,
    home: Path,
    roll_up: rollup.RollUp,
    batch_size: int,
    threads: int = 1,
    precision: str = "fp32",
) -> TorchClassifier:
    """Make a classifier of a model that ships; ``home`` keeps its trace.

    Raises WeightsError where the weights are not what the manifest says, InfrastructureError.
    """
    manifest.verify(model)
    set_threads(threads)
    network = torchscript.load(manifest.path(model), model.weights.sha256, home, precision)
    return TorchClassifier(network, roll_up, batch_size, threads, precision)


def set_threads(threads: int) -> None:
    """Compute with ``threads`` cores in this process, and never several operations at once."""
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)
