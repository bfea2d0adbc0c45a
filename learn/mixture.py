"""A collection as a mixture of photos that show a tag and photos that do not, by their margins.

Of the first, the margins are like those of the held-out examples: normal, and above their middle no rarer. Of
the others, the tail falls exponentially; how fast, the bulk of the collection shows. The share of each is
found by expectation maximisation (Dempster, Laird and Rubin 1977), so that the base rate of the collection
counts and photos that show the tag unknown to us are not held against it.

Few examples tell middle and spread badly, and the bulk tells the tail badly. Both are therefore drawn many
times, from the posterior of a normal distribution (Gelman et al., Bayesian Data Analysis, 3.3) and from what
was seen of tails; draws are kept as they fit the collection (importance resampling, Rubin 1988).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagtray.learn.classifier import Margins

Floats = NDArray[np.float64]

#: How often what is not known is drawn.
DRAWS = 100
#: Steps between the median and the highest margin, in which photos are counted.
STEPS = 300
#: The usual spread of examples, in margins, and how many examples this experience counts for.
USUAL_SPREAD, EXPERIENCE = 1.0, 4
#: In how much less than the distance that the bulk tells the tail of what does not show the tag falls by e,
#: and the spread of that (of its logarithm). Of eight kinds of photo it was 0.5 to 1.2, 0.75 in the middle.
FALL, FALL_SPREAD = 0.75, 0.2
#: The quantile of what does not show the tag from which the tail is looked at, and two that its fall is
#: estimated from.
TAIL, BULK = 0.9, (0.8, 0.92)
#: Photos of the tail that the collection counts for as evidence, however many there are: they are alike, and
#: no shape is quite as is said above.
EVIDENCE = 40
#: Rounds at most, and the change of a probability at which they end.
ROUNDS, SETTLED = 60, 1e-3


@dataclass(frozen=True, eq=False)
class Counted:
    """A collection's margins in ``STEPS`` steps from their median up.

    ``margins`` are the lower ends, ``photos`` how many lie in each step, ``below`` how many in none.
    """

    margins: Floats
    photos: Floats
    below: int
    middle: float
    width: float


def count(margins: Margins) -> Counted:
    """Count photos by their margins."""
    low, middle = np.quantile(margins, [0.16, 0.5])
    photos, ends = np.histogram(margins, STEPS, (middle, max(margins.max(), middle + 1e-6)))
    below = len(margins) - int(photos.sum())
    return Counted(ends[:-1], photos.astype(float), below, float(middle), float(middle - low))


def fit(examples: Margins, counted: Counted, rng: np.random.Generator) -> tuple[Floats, float]:
    """(DRAWS, STEPS) the probabilities that photos show the tag; and where the tail of the others begins."""
    middles, spreads = _drawn(examples, rng)
    falls = FALL * np.exp(FALL_SPREAD * rng.standard_normal((DRAWS, 1)))
    margins = counted.margins + (counted.margins[1] - counted.margins[0]) / 2
    # Above the middle a photo is not less likely to show it.
    typical = np.exp(-0.5 * np.square((np.minimum(margins, middles) - middles) / spreads))
    typical /= spreads * math.sqrt(2 * math.pi)
    # To begin with, what looks like an example is none of the tail that the others are measured by.
    found = (margins > np.maximum(middles - spreads, counted.middle + counted.width / 2)).astype(float)
    shares = np.full((DRAWS, 1), 0.02)
    total = counted.below + counted.photos.sum()
    for _ in range(ROUNDS):
        starts, expected = _tails(margins, counted, 1 - found)
        falling = np.maximum(expected * falls, 1e-3)
        others = (1 - TAIL) / falling * np.exp(-np.maximum(margins - starts, 0) / falling)
        both = shares * typical + (1 - shares) * others
        now = np.where(margins > starts, shares * typical / np.maximum(both, 1e-300), 0.0)
        shares = ((now @ counted.photos)[:, np.newaxis] + 0.5) / (total + 1)
        change, found = np.abs(now - found).max(), now
        if change < SETTLED:
            break
    tail = float(np.median(starts))
    beyond = margins >= tail
    kept = _kept(both[:, beyond], counted.photos[beyond], rng)
    # A higher margin is no lower a probability.
    return np.maximum.accumulate(found[kept], axis=1), tail


def _kept(densities: Floats, photos: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """(DRAWS,) the draws, some of them several times, by how well their ``densities`` fit the ``photos``."""
    shapes = densities / densities.sum(1, keepdims=True)
    evidence = np.log(np.maximum(shapes, 1e-300)) @ photos * min(EVIDENCE / max(photos.sum(), 1), 1)
    weights = np.exp(evidence - evidence.max())
    return rng.choice(DRAWS, DRAWS, p=weights / weights.sum())


def _drawn(examples: Margins, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(DRAWS, 1) middles and spreads that the margins of all photos that show the tag may have."""
    count, middle = len(examples), examples.mean()
    squares = np.square(examples - middle).sum() + EXPERIENCE * USUAL_SPREAD**2
    spreads = np.sqrt(squares / rng.chisquare(count - 1 + EXPERIENCE, (DRAWS, 1)))
    return middle + spreads / math.sqrt(count) * rng.standard_normal((DRAWS, 1)), spreads


def _tails(margins: Floats, counted: Counted, others: Floats) -> tuple[Floats, Floats]:
    """(DRAWS, 1) where the tail of what does not show the tag begins, and how far it falls by e, by the bulk.

    ``others`` (DRAWS, STEPS) is the share of each step that does not show it.
    """
    passed = counted.below + np.cumsum(others * counted.photos, axis=1)

    def quantile(share: float) -> Floats:
        steps = (passed < share * passed[:, -1:]).sum(1, keepdims=True)
        at: Floats = margins[np.minimum(steps, STEPS - 1)]
        return at

    low, high = BULK
    return quantile(TAIL), (quantile(high) - quantile(low)) / math.log((1 - low) / (1 - high))
