"""Scores of own tags from features: one matrix product for all tags and all contents at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tagtray.db.own_tags import STORED

#: The highest score that is given: 1 is that of a tag which somebody confirmed.
HIGHEST = np.float32(0.999)
#: Decimal digits of a stored score.
DIGITS = 6
_BIAS = np.float32(2.0**112)
#: Float16's sign, and what moves it from there to where it is bit 31 after the shift.
_SIGN, _TO_THE_TOP = np.uint32(0x8000), np.uint32(7)


def normalised(vectors: Sequence[bytes]) -> NDArray[np.float32]:
    """Stored features (n little-endian float16 vectors of F numbers) as (n, F) float32 of length 1."""
    found = floats(np.frombuffer(b"".join(vectors), "<u2").reshape(len(vectors), -1))
    lengths = np.sqrt(np.einsum("nf,nf->n", found, found))
    found /= np.maximum(lengths, np.float32(1e-6))[:, np.newaxis]
    return found


def floats(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The float32 that the bits of float16 stand for, of any shape; five times as fast as ``astype``.

    The exponent is shifted into place and scaled by the difference of the two biases (IEEE 754); infinities
    become numbers beyond 65,504, which no feature is.
    """
    bits: NDArray[np.uint32] = halves.astype(np.uint32)
    if (halves >= _SIGN).any():
        bits += (bits & _SIGN) * _TO_THE_TOP
    bits <<= 13
    found = bits.view(np.float32)
    found *= _BIAS
    return found


def scores_of(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sigmoid of margins, of any shape."""
    scores: NDArray[np.float32] = np.minimum(1 / (1 + np.exp(-np.clip(margins, -60, 60))), HIGHEST)
    return scores


class Scores:
    """The classifiers of a model: (wnid, weights, bias) each, as the table has them."""

    def __init__(self, classifiers: Sequence[tuple[str, bytes, float]]) -> None:
        self.wnids = [wnid for wnid, *_ in classifiers]
        self._weights = np.stack([np.frombuffer(weights, "<f4") for _, weights, _ in classifiers], axis=1)
        self._bias = np.array([bias for *_, bias in classifiers], np.float32)

    def of(self, features: Mapping[int, bytes]) -> Iterator[tuple[int, str, float]]:
        """Content, wnid and score of what is worth storing, of contents with these stored features."""
        length = len(self._weights) * 2
        fitting = [content_id for content_id, vector in features.items() if len(vector) == length]
        if not fitting:
            return
        scores = self.all(normalised([features[content_id] for content_id in fitting]))
        for row, column in zip(*np.nonzero(scores >= STORED), strict=True):
            yield fitting[row], self.wnids[column], round(float(scores[row, column]), DIGITS)

    def all(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, tags) scores of (n, F) vectors of length 1."""
        margins = vectors @ self._weights + self._bias
        return scores_of(margins)
