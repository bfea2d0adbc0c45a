"""What a margin is worth: the share of photos of that margin that show the tag, and from where most do.

The collection is a mixture of photos that show the tag and photos that do not. Of the first, the margins are
like those of the held-out examples: normal, with a spread that few examples cannot tell and that is therefore
drawn to a usual one. Of the others, the tail falls exponentially; how fast, the bulk of the collection shows.
The share of each is found by expectation maximisation (Dempster, Laird and Rubin 1977), so that the base rate
of the collection counts and photos that show the tag unknown to us are not held against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagtray.learn.classifier import HeldOut, Linear, Margins

#: Share of the photos from the threshold on that show the tag, by the number of examples: the fewer there
#: are, the less the estimate is worth.
TARGETS = ((5, 0.96), (10, 0.94), (20, 0.9))
#: The usual spread of examples, in margins, and how many examples this experience counts for.
USUAL_SPREAD, EXPERIENCE = 1.0, 4
#: The quantile of what does not show the tag from which the tail is looked at, and two that its fall is
#: estimated from; how far what is seen of the tail itself may differ from that estimate.
TAIL, BULK, TRUST = 0.9, (0.8, 0.92), (0.6, 0.9)
#: Rounds at most, and the change of a probability at which they end.
ROUNDS, SETTLED = 100, 1e-4
#: Steepest and flattest slope of the logistic curve that stands for the probabilities.
SLOPES = (0.2, 20.0)
#: A tag that would be on a larger share of the collection tells nothing.
LARGEST_SHARE = 0.5
#: The least score that a tag is shown at, below which it is likelier wrong than right; and the highest.
LEAST_SCORE, HIGHEST_THRESHOLD = 0.5, 0.95


@dataclass(frozen=True, slots=True)
class Calibration:
    """A score is ``sigmoid(slope * margin + offset)``, shown from ``threshold`` on.

    ``precision`` is the share of those shown that is expected to be right. Where enough are right at none,
    the threshold is 1, which verdicts alone reach.
    """

    slope: float
    offset: float
    threshold: float
    precision: float

    def applied(self, classifier: Linear) -> Linear:
        """The classifier whose margins' sigmoids are the scores."""
        weights = (classifier.weights * self.slope).astype(np.float32)
        return Linear(weights, classifier.bias * self.slope + self.offset)

    @property
    def tells(self) -> bool:
        """Whether photos are found at all."""
        return self.threshold < 1


def calibrate(held_out: HeldOut, collection: Margins) -> Calibration:
    """Calibrate on the margins of held-out examples and of all other photos of the collection."""
    order = np.argsort(collection)
    margins = collection[order]
    probabilities, tail = _mixture(held_out.shows, margins)
    slope, offset = _logistic(margins, probabilities, float(np.median(held_out.shows)))
    target = next(share for count, share in reversed(TARGETS) if count <= max(len(held_out.shows), 5))
    counted = np.arange(1, len(margins) + 1)
    precisions = (np.cumsum(probabilities[::-1]) / counted)[::-1]
    enough = (precisions >= target) & (probabilities >= LEAST_SCORE)
    enough &= counted[::-1] <= LARGEST_SHARE * len(margins)
    enough &= margins > _least_margin(held_out, target)
    # Examples like anything else are told from nothing.
    enough &= float(np.median(held_out.shows)) > tail
    if not enough.any():
        return Calibration(slope, offset, 1.0, 0.0)
    first = int(np.argmax(enough))
    # The curve goes through this point, whatever it is elsewhere.
    threshold = float(min(probabilities[first], HIGHEST_THRESHOLD))
    offset = math.log(threshold / (1 - threshold)) - slope * float(margins[first])
    return Calibration(slope, offset, threshold, float(precisions[first]))


def _least_margin(held_out: HeldOut, target: float) -> float:
    """Above it, of the examples and counter-examples, too, the share of the target shows the tag."""
    if not len(held_out.counter):
        return -math.inf
    margins = np.concatenate([held_out.shows, held_out.counter])
    shows = np.repeat([1.0, 0.0], [len(held_out.shows), len(held_out.counter)])
    order = np.argsort(-margins)
    precisions = np.cumsum(shows[order]) / np.arange(1, len(order) + 1)
    wrong = np.flatnonzero(precisions < target)
    return float(margins[order[wrong[0]]]) if len(wrong) else -math.inf


def _mixture(examples: Margins, margins: Margins) -> tuple[NDArray[np.float64], float]:
    """The probability that a photo shows the tag, for each of the collection's ``margins`` in their order.

    And where the tail of the others begins.
    """
    count, middle = len(examples), float(examples.mean())
    squares = float(np.square(examples - middle).sum())
    spread = math.sqrt((squares + EXPERIENCE * USUAL_SPREAD**2) / (count - 1 + EXPERIENCE))
    # Above the middle a photo is not less likely to show it.
    typical = np.exp(-0.5 * np.square((np.minimum(margins, middle) - middle) / spread))
    typical /= spread * math.sqrt(2 * math.pi)
    # To begin with, what looks like an example is none of the tail that the others are measured by.
    bulk = 1.5 * np.quantile(margins, 0.5) - 0.5 * np.quantile(margins, 0.16)
    found = np.where(margins > max(middle - spread, bulk), 1.0, 0.0)
    share, start = 0.02, float(margins[-1])
    for _ in range(ROUNDS):
        start, fall = _tail(margins, 1 - found)
        other = (1 - TAIL) / fall * np.exp(-np.maximum(margins - start, 0) / fall)
        both = share * typical + (1 - share) * other
        now = np.where(margins > start, share * typical / np.maximum(both, 1e-300), 0.0)
        share = (now.sum() + 0.5) / (len(margins) + 1)
        change, found = np.abs(now - found).max(), now
        if change < SETTLED:
            break
    # A higher margin is no lower a probability.
    return np.maximum.accumulate(found), start


def _tail(margins: Margins, weights: NDArray[np.float64]) -> tuple[float, float]:
    """Where the tail of what does not show the tag begins, and the distance in which it falls by e."""
    passed = np.cumsum(weights)

    def quantile(share: float) -> float:
        return float(margins[min(int(np.searchsorted(passed, share * passed[-1])), len(margins) - 1)])

    start = quantile(TAIL)
    low, high = BULK
    expected = (quantile(high) - quantile(low)) / math.log((1 - low) / (1 - high))
    above = margins > start
    seen = float((weights[above] * (margins[above] - start)).sum() / max(weights[above].sum(), 1e-9))
    least, most = TRUST
    return start, max(min(max(seen, least * expected), most * expected), 1e-3)


def _logistic(margins: Margins, probabilities: NDArray[np.float64], middle: float) -> tuple[float, float]:
    """The logistic curve through the probabilities (Platt 1999); if there is none, one below ``middle``."""
    between = (probabilities > 0.05) & (probabilities < 0.95)
    if between.sum() < 2 or np.ptp(margins[between]) < 1e-6:
        at = margins[np.searchsorted(probabilities, 0.5)] if probabilities[-1] >= 0.5 else middle + 1
        return 2.0, -2.0 * float(at)
    odds = np.log(probabilities[between] / (1 - probabilities[between]))
    slope, _ = np.polyfit(margins[between], odds, 1)
    slope = float(np.clip(slope, *SLOPES))
    return slope, float(np.mean(odds - slope * margins[between]))
