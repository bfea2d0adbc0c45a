"""Batches of pixels to scores: the network behind one small protocol, with every buffer allocated once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from weights import manifest
from worker import rollup, tracing
from worker.network import CLASSES, IMAGE_SIDE

#: Labels kept per image.
TOP = 3
#: Images per pass through the network and thread. Chosen by trial among 4, 8, 16, 32 on one machine (AVX-512,
#: 32 MB of L3): a batch of 32 in slices of 8 was 8 % faster on a core than in one and peaked 170 MB lower.
SLICE = 8


@dataclass(frozen=True, eq=False)
class Scores:
    """What n images were found to be; owned by the receiver.

    ``top_index`` (n, 3) int64 classes and ``top_score`` (n, 3) float32 softmax, best first;
    ``tag_scores`` (n, C) float32, the softmax summed over the members of each category.
    """

    top_index: NDArray[np.int64]
    top_score: NDArray[np.float32]
    tag_scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.top_index)


class Classifier(Protocol):
    """An engine: images are decoded into ``slots`` and classified together."""

    @property
    def batch_size(self) -> int:
        """Slots, and so images per batch at most."""

    @property
    def slots(self) -> NDArray[np.uint8]:
        """(batch_size, 224, 224, 3) uint8 RGB; the memory that the engine reads."""

    def classify(self, n: int) -> Scores:
        """Scores of the first ``n`` slots, 1 <= n <= batch_size."""

    def warm_up(self) -> None:
        """Pay one-time costs before the first image."""


class TorchClassifier:
    """Classifier on a TorchScript network (see ``worker.tracing``), fp32 on the CPU."""

    def __init__(
        self, network: torch.jit.ScriptModule, roll_up: rollup.RollUp, batch_size: int, threads: int = 1
    ) -> None:
        set_threads(threads)
        self._network = network
        self._members = torch.tensor(roll_up.matrix)
        self._pixels = torch.zeros(batch_size, IMAGE_SIDE, IMAGE_SIDE, 3, dtype=torch.uint8)
        # A view of the same memory: (B, 3, 224, 224), which lies there as channels_last.
        self._input = self._pixels.permute(0, 3, 1, 2)
        self._logits = torch.empty(batch_size, CLASSES)
        self._softmax = torch.empty(batch_size, CLASSES)
        self._top_score = torch.empty(batch_size, TOP)
        self._top_index = torch.empty(batch_size, TOP, dtype=torch.int64)
        self._tags = torch.empty(batch_size, len(roll_up.wnids))
        self._slots: NDArray[np.uint8] = self._pixels.numpy()
        self._step = SLICE * threads

    @property
    def batch_size(self) -> int:
        """Slots, and so images per batch at most."""
        return len(self._slots)

    @property
    def slots(self) -> NDArray[np.uint8]:
        """(batch_size, 224, 224, 3) uint8 RGB; the memory that the network reads."""
        return self._slots

    @torch.inference_mode()
    def classify(self, n: int) -> Scores:
        """Scores of the first ``n`` slots; raises ValueError unless 1 <= n <= batch_size."""
        if not 1 <= n <= self.batch_size:
            raise ValueError(f"{n} images do not fit into a batch of {self.batch_size}")
        for start in range(0, n, self._step):
            stop = min(start + self._step, n)
            self._logits[start:stop] = self._network(self._input[start:stop])
        return self._score(n)

    def warm_up(self) -> None:
        """Run the network once, so that the first batch does not pay for allocations and code generation."""
        self.classify(min(self._step, self.batch_size))

    def _score(self, n: int) -> Scores:
        """Softmax, Top-3 and roll-up of the first ``n`` logits in one vectorised step."""
        softmax = torch.softmax(self._logits[:n], 1, out=self._softmax[:n])
        torch.topk(softmax, TOP, dim=1, out=(self._top_score[:n], self._top_index[:n]))
        tags = rollup.sum_members(softmax, self._members, self._tags[:n])
        return Scores(
            self._top_index[:n].numpy().copy(), self._top_score[:n].numpy().copy(), tags.numpy().copy()
        )


def load(
    model: manifest.ModelEntry, home: Path, roll_up: rollup.RollUp, batch_size: int, threads: int = 1
) -> TorchClassifier:
    """Make a classifier of a model that ships; ``home`` keeps its trace.

    Raises WeightsError where the weights are not what the manifest says, InfrastructureError.
    """
    manifest.verify(model)
    set_threads(threads)
    network = tracing.load(manifest.path(model), model.weights.sha256, home)
    return TorchClassifier(network, roll_up, batch_size, threads)


def set_threads(threads: int) -> None:
    """Compute with ``threads`` cores in this process, and never several operations at once."""
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)
