"""Weights to int8: one scale per output channel, rounded so that errors cancel where they would add up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Largest magnitude of an int8 weight; symmetric.
WEIGHT_MAX = 127
#: Largest magnitude of the sum of two weights: processors without VNNI add their products with uint8 in 16
#: bits, and 128 x 255 < 2^15. Rounding may add 1 to each. Kept to everywhere, for the same answers.
PAIR_MAX = 128 - 2

Array = NDArray[Any]


def quantize(weight: Array) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The int8 steps of a weight (out, in, height, width), in even; what a step is worth, by output channel.

    Nearest values, except that the errors of each kernel, and then of each output channel, sum to half a
    step at most (Guo et al., SQuant, ICLR 2022): neighbouring pixels are alike, so what counts is a kernel's
    sum. It takes a tenth off the error of the logits.
    """
    scale = _scales(weight)
    exact = weight / scale[:, None, None, None]
    rounded: Array = np.round(exact)
    for groups in (weight.shape[0] * weight.shape[1], weight.shape[0]):
        rounded = _balanced(exact.reshape(groups, -1), rounded.reshape(groups, -1))
    steps = np.clip(rounded.reshape(weight.shape), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8)
    return steps, scale


def _scales(weight: Array) -> NDArray[np.float32]:
    """Such that each channel keeps to ``WEIGHT_MAX`` and its neighbours, added up, to ``PAIR_MAX``.

    Neighbours are input channels 0 and 1, 2 and 3, ...
    """
    pairs = weight.shape[1] // 2
    one, other = weight[:, 0 : 2 * pairs : 2], weight[:, 1::2]
    together = np.where(one * other > 0, np.abs(one + other), 0).max(axis=(1, 2, 3), initial=0)
    scale = np.maximum(np.abs(weight).max(axis=(1, 2, 3)) / WEIGHT_MAX, together / PAIR_MAX)
    # A channel of zeros, as training leaves some, is exact at any scale.
    steps: NDArray[np.float32] = np.where(scale > 0, scale, 1).astype(np.float32)
    return steps


def _balanced(exact: Array, rounded: Array) -> NDArray[np.float32]:
    """Round the worst of each row (rows, n) the other way until its errors sum to half a step at most."""
    errors = rounded - exact
    total = errors.sum(axis=1, keepdims=True)
    sign = np.sign(total)
    rank = np.argsort(np.argsort(-errors * sign, axis=1), axis=1)
    flipped = (rank < np.round(np.abs(total))) & (errors * sign > 0)
    balanced: NDArray[np.float32] = rounded - flipped * sign
    return balanced
