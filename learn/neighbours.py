"""Pairs of vectors that point nearly the same way, among as many as a million.

Few vectors are compared each with each. Of many, each is compared with those of its own cell and of the next
one to it, cells being around vectors that are drawn from the collection (an inverted file; Sivic and
Zisserman 2003): near copies are nearly always in one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tagtray.learn.index import BLOCK, Index
from tagtray.learn.vectors import Vectors

#: Vectors up to which all are compared.
FEW = 20_000
#: Vectors of a cell on average.
CELL = 500
#: Neighbours of one vector at most: a thousand copies of one picture are a chain, not a million pairs.
MOST = 8
#: Rows that are compared at once.
ROWS = 1_024

Places = NDArray[np.int64]
Pair = tuple[int, int]


def pairs(index: Index, least: float) -> Iterator[Pair]:
    """Pairs of places, the smaller first, whose cosine is at least ``least``; some of them twice."""
    if len(index) <= FEW:
        everything = np.arange(len(index))
        vectors = index.vectors(everything)
        for start in range(0, len(index), ROWS):
            rows = everything[start : start + ROWS]
            # Only with what comes from here on.
            yield from _compared(
                vectors[start : start + ROWS], rows, vectors[start:], everything[start:], least
            )
        return
    own, second = _cells(index)
    by_own, by_second = _grouped(own), _grouped(second)
    for cell, members in by_own.items():
        held = index.vectors(members)
        others = np.concatenate([members, by_second.get(cell, np.zeros(0, np.int64))])
        for start in range(0, len(others), ROWS):
            rows = others[start : start + ROWS]
            yield from _compared(index.vectors(rows), rows, held, members, least)


def _compared(
    vectors: Vectors, places: Places, others: Vectors, other_places: Places, least: float
) -> Iterator[Pair]:
    cosines = vectors @ others.T
    cosines[places[:, np.newaxis] == other_places] = -1
    near = np.flatnonzero((cosines >= least).any(1))
    for row in near.tolist():
        found = np.flatnonzero(cosines[row] >= least)
        if len(found) > MOST:
            found = found[np.argsort(-cosines[row, found], kind="stable")[:MOST]]
        for column in found.tolist():
            one, other = int(places[row]), int(other_places[column])
            yield (one, other) if one < other else (other, one)


def _cells(index: Index) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The nearest and the second nearest cell of each vector."""
    rng = np.random.default_rng(0)
    middles = index.vectors(np.sort(rng.choice(len(index), len(index) // CELL, replace=False)))
    own, second = np.empty(len(index), np.int32), np.empty(len(index), np.int32)
    for block in index.blocks(BLOCK):
        cosines = index.vectors(block) @ middles.T
        rows = np.arange(len(cosines))
        own[block] = cosines.argmax(1)
        cosines[rows, own[block]] = -2
        second[block] = cosines.argmax(1)
    return own, second


def _grouped(cells: NDArray[np.int32]) -> dict[int, Places]:
    """The places in each cell."""
    order = np.argsort(cells, kind="stable")
    names, starts = np.unique(cells[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))
