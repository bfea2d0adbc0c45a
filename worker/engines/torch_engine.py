"""The engine that is always there: TorchScript (``worker.networks.torchscript``) on the CPU, fp32 or bf16."""

from __future__ import annotations

from pathlib import Path

import torch

from tagtray.weights.model import Model
from tagtray.worker.engines import cpu_features, rollup
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.networks import torchscript

#: Dot products of bf16, as torch calls them on x86 and Arm.
BF16 = ("avx512_bf16", "amx_bf16", "bf16")


class TorchClassifier(BatchClassifier):
    """Classifier on a traced network that computes in ``precision``."""

    engine = "torch"

    def __init__(
        self,
        model: Model,
        network: torch.jit.ScriptModule,
        roll_up: rollup.RollUp,
        batch_size: int,
        threads: int = 1,
        precision: str = "fp32",
    ) -> None:
        super().__init__(model, roll_up, batch_size, threads, precision)
        set_threads(threads)
        self._network = network
        # A view of the same memory: (B, 3, side, side), which lies there as channels_last.
        self._input = torch.from_numpy(self._slots).permute(0, 3, 1, 2)
        self._outputs = torch.from_numpy(self._logits), torch.from_numpy(self._features)

    @torch.inference_mode()
    def _forward(self, start: int, stop: int) -> None:
        for output, found in zip(self._outputs, self._network(self._input[start:stop]), strict=True):
            output[start:stop] = found


def load(
    model: Model,
    home: Path,
    roll_up: rollup.RollUp,
    batch_size: int,
    threads: int = 1,
    precision: str = "fp32",
) -> TorchClassifier:
    """Make a classifier of a model; ``home`` keeps its trace.

    Raises WeightsError where the weights are not what the manifest says, InfrastructureError.
    """
    model.verify()
    set_threads(threads)
    network = torchscript.load(model, home, precision)
    return TorchClassifier(model, network, roll_up, batch_size, threads, precision)


def has_bf16() -> bool:
    """Whether torch computes in bf16 natively on this processor."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in BF16) and cpu_features.onednn_may_use_bf16()


def set_threads(threads: int) -> None:
    """Compute with ``threads`` cores in this process, and never several operations at once."""
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)
