"""What a margin is worth: the probability that a photo shows the tag, and from where most do.

The threshold is where enough photos show it on the average of all that the collection and its examples may be
like (``mixture``). Promised is what nine such cases of ten reach, so that weak evidence promises less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tagtray.learn import mixture
from tagtray.learn.classifier import HeldOut, Linear, Margins
from tagtray.learn.mixture import Floats

#: Share of the photos from the threshold on that is expected to show the tag.
TARGET = 0.9
#: Chance that fewer of those that are shown are right than is promised, as far as the draws tell.
RISK = 0.1
#: The most that is promised: no collection is quite as ``mixture`` says.
SUREST = 0.99
#: Beginning of the random numbers: the same margins give the same answer.
SEED = 15
#: Steepest and flattest slope of the logistic curve that stands for the probabilities.
SLOPES = (0.2, 20.0)
#: A tag that would be on a larger share of the collection tells nothing.
LARGEST_SHARE = 0.5
#: The least score that a tag is shown at, below which it is likelier wrong than right; and the highest.
LEAST_SCORE, HIGHEST_THRESHOLD = 0.5, 0.95


@dataclass(frozen=True, slots=True)
class Calibration:
    """A score is ``sigmoid(slope * margin + offset)``, shown from ``threshold`` on.

    ``precision`` is the share of those shown that is right with a chance of nine in ten. Where enough are
    right at none, the threshold is 1, which verdicts alone reach.
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
    rng = np.random.default_rng(SEED)
    counted, middle = mixture.count(collection), float(np.median(held_out.shows))
    probabilities, tail = mixture.fit(held_out.shows, counted, rng)
    probability = probabilities.mean(0)
    slope, offset = _logistic(counted.margins, probability, middle)
    photos = _from_here_on(counted.photos)
    right = np.minimum(_from_here_on(probabilities * counted.photos), photos)
    enough = (right.mean(0) >= TARGET * photos) & (probability >= LEAST_SCORE)
    enough &= (photos > 0) & (photos <= LARGEST_SHARE * len(collection))
    enough &= counted.margins > _least_margin(held_out)
    # Examples like anything else are told from nothing.
    enough &= middle > tail
    if not enough.any():
        return Calibration(slope, offset, 1.0, 0.0)
    first = int(np.argmax(enough))
    # The curve goes through this point, whatever it is elsewhere.
    threshold = float(min(probability[first], HIGHEST_THRESHOLD))
    offset = math.log(threshold / (1 - threshold)) - slope * float(counted.margins[first])
    return Calibration(
        slope, offset, threshold, _promise(right[:, first] / photos[first], int(photos[first]), rng)
    )


def _promise(shares: Floats, shown: int, rng: np.random.Generator) -> float:
    """What is right of so many photos with a chance of nine in ten, and no more than is expected."""
    # Of few photos fewer may be right than their chances say.
    right = rng.binomial(shown, shares) / shown
    return float(min(np.quantile(right, RISK), shares.mean(), SUREST))


def _from_here_on(each: Floats) -> Floats:
    """The sums over this step and all higher ones, of ``(..., STEPS)``."""
    sums: Floats = np.cumsum(each[..., ::-1], axis=-1)[..., ::-1]
    return sums


def _least_margin(held_out: HeldOut) -> float:
    """Above it, of the examples and counter-examples, too, the share of the target shows the tag."""
    if not len(held_out.counter):
        return -math.inf
    margins = np.concatenate([held_out.shows, held_out.counter])
    shows = np.repeat([1.0, 0.0], [len(held_out.shows), len(held_out.counter)])
    order = np.argsort(-margins)
    precisions = np.cumsum(shows[order]) / np.arange(1, len(order) + 1)
    wrong = np.flatnonzero(precisions < TARGET)
    return float(margins[order[wrong[0]]]) if len(wrong) else -math.inf


def _logistic(margins: Floats, probabilities: Floats, middle: float) -> tuple[float, float]:
    """The logistic curve through the probabilities (Platt 1999); if there is none, one below ``middle``."""
    between = (probabilities > 0.05) & (probabilities < 0.95)
    if between.sum() < 2 or np.ptp(margins[between]) < 1e-6:
        at = margins[np.searchsorted(probabilities, 0.5)] if probabilities[-1] >= 0.5 else middle + 1
        return 2.0, -2.0 * float(at)
    odds = np.log(probabilities[between] / (1 - probabilities[between]))
    slope, _ = np.polyfit(margins[between], odds, 1)
    slope = float(np.clip(slope, *SLOPES))
    return slope, float(np.mean(odds - slope * margins[between]))
