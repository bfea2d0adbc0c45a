"""Batches of pixels to scores: what all engines have in common, with every buffer allocated once."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tagtray.weights.model import Model
from tagtray.worker.engines import rollup

#: Labels kept per image; a model of two classes has but two.
TOP = 3
#: Largest number of float16: a larger feature is stored as this one.
FLOAT16_MAX = np.float32(np.finfo(np.float16).max)
#: Images per pass through the network and thread. Chosen by trial among 1, 4, 8, 16, 32 on one core (AVX-512,
#: 32 MB of L3): torch is fastest at 8 and peaks 170 MB lower than at 32; ONNX Runtime and OpenVINO
#: are as fast from 4 on.
SLICE = 8


@dataclass(frozen=True, eq=False)
class Scores:
    """What n images were found to be; owned by the receiver.

    ``top_index`` (n, 3) int64 classes and ``top_score`` (n, 3) float32 softmax, best first;
    ``tag_scores`` (n, C) float32, the softmax summed over the members of each category;
    ``features`` (n, F) float16, the pooled vector that the last layer reads.
    """

    top_index: NDArray[np.int64]
    top_score: NDArray[np.float32]
    tag_scores: NDArray[np.float32]
    features: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.top_index)


class Classifier(Protocol):
    """An engine: images are decoded into ``slots`` and classified together."""

    @property
    def batch_size(self) -> int:
        """Slots, and so images per batch at most."""

    @property
    def slots(self) -> NDArray[np.uint8]:
        """(batch_size, side, side, 3) uint8 RGB; the memory that the engine reads."""

    def classify(self, n: int) -> Scores:
        """Scores of the first ``n`` slots, 1 <= n <= batch_size."""

    def warm_up(self) -> None:
        """Pay one-time costs before the first image."""


class BatchClassifier(abc.ABC):
    """A Classifier on the CPU whose engine turns a range of slots into logits and features."""

    #: Name of the engine, as in ``classifications.engine``.
    engine: ClassVar[str]
    #: Why better engines are not used, a sentence each.
    passed_over: tuple[str, ...] = ()

    def __init__(
        self, model: Model, roll_up: rollup.RollUp, batch_size: int, threads: int, precision: str
    ) -> None:
        #: What the network computes in, as in ``classifications.precision``.
        self.precision = precision
        self._members = roll_up.matrix
        self._top = min(TOP, model.classes)
        self._slots = np.zeros((batch_size, model.input.side, model.input.side, 3), np.uint8)
        self._logits = np.zeros((batch_size, model.classes), np.float32)
        self._features = np.zeros((batch_size, model.network.features), np.float32)
        self._softmax = np.zeros((batch_size, model.classes), np.float32)
        self._tags = np.zeros((batch_size, len(roll_up.wnids)), np.float32)
        self._step = SLICE * threads

    @property
    def batch_size(self) -> int:
        """Slots, and so images per batch at most."""
        return len(self._slots)

    @property
    def slots(self) -> NDArray[np.uint8]:
        """(batch_size, side, side, 3) uint8 RGB; the memory that the network reads."""
        return self._slots

    def classify(self, n: int) -> Scores:
        """Scores of the first ``n`` slots; raises ValueError unless 1 <= n <= batch_size."""
        self._infer(n)
        softmax = self._normalise(n)
        # argpartition finds the best three of all classes in any order, argsort puts the three in theirs.
        best = np.argpartition(softmax, softmax.shape[1] - self._top, axis=1)[:, -self._top :]
        order = np.argsort(-np.take_along_axis(softmax, best, 1), axis=1, kind="stable")
        index = np.take_along_axis(best, order, 1).astype(np.int64)
        tags = rollup.sum_members(softmax, self._members, self._tags[:n])
        features = np.minimum(self._features[:n], FLOAT16_MAX).astype(np.float16)
        return Scores(index, np.take_along_axis(softmax, index, 1), tags.copy(), features)

    def logits(self, n: int) -> NDArray[np.float32]:
        """What the network says of the first ``n`` slots, (n, classes); a copy."""
        self._infer(n)
        return self._logits[:n].copy()

    def warm_up(self) -> None:
        """Run the network once, so that the first batch does not pay for allocations and code generation."""
        self._infer(min(self._step, self.batch_size))

    def _infer(self, n: int) -> None:
        if not 1 <= n <= self.batch_size:
            raise ValueError(f"{n} images do not fit into a batch of {self.batch_size}")
        for start in range(0, n, self._step):
            self._forward(start, min(start + self._step, n))

    def _normalise(self, n: int) -> NDArray[np.float32]:
        """Softmax of the first ``n`` logits, in place."""
        logits, softmax = self._logits[:n], self._softmax[:n]
        np.subtract(logits, logits.max(1, keepdims=True), out=softmax)
        np.exp(softmax, out=softmax)
        softmax /= softmax.sum(1, keepdims=True)
        return softmax

    @abc.abstractmethod
    def _forward(self, start: int, stop: int) -> None:
        """Write the logits and features of slots ``[start:stop]`` into ``_logits`` and ``_features``."""
