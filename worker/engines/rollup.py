"""From the scores of all classes to broader tags: a class counts for every one of its ancestors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagtray.weights.model import Model


@dataclass(frozen=True, eq=False)
class RollUp:
    """The categories and who belongs to them.

    ``matrix`` is (classes, C) float32: 1 where the class lies below the category, else 0.
    Column j belongs to ``wnids[j]``.
    """

    wnids: tuple[str, ...]
    matrix: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[1] != len(self.wnids):
            raise ValueError(f"{len(self.wnids)} categories do not fit a matrix of {self.matrix.shape}")

    def above(
        self, tag_scores: NDArray[np.float32], minimum: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column indices, row by row, of the entries >= ``minimum`` of ``tag_scores`` (n, C)."""
        rows, columns = np.nonzero(tag_scores >= np.float32(minimum))
        return rows, columns

    def tags_above(self, tag_scores: NDArray[np.float32], minimum: float) -> list[list[tuple[str, float]]]:
        """For each image the (wnid, score) pairs of ``tag_scores`` (n, C) >= ``minimum``, best first."""
        rows, columns = self.above(tag_scores, minimum)
        scores = tag_scores[rows, columns]
        best = np.lexsort((-scores, rows))
        tags: list[list[tuple[str, float]]] = [[] for _ in tag_scores]
        found = zip(rows[best].tolist(), columns[best].tolist(), scores[best].tolist(), strict=True)
        for row, column, score in found:
            tags[row].append((self.wnids[column], score))
        return tags


def load(model: Model) -> RollUp:
    """The roll-up to the categories of a model's labels, which may be none; raises WeightsError."""
    return RollUp(*model.labels.membership)


def sum_members(
    probabilities: NDArray[np.float32], matrix: NDArray[np.float32], out: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sum softmax scores (n, classes) over the members of each category into ``out`` (n, C), at most 1.

    The members' scores sum to 1 at most; float32 may round a hair above it.
    """
    np.matmul(probabilities, matrix, out=out)
    return np.minimum(out, np.float32(1), out=out)
