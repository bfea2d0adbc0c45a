"""A linear classifier from a few examples: logistic regression on unit vectors.

What is not known to show the tag is presumed not to; the few that do are outweighed by the others. Chosen by
trial on eight kinds of photo that are no class of ImageNet (``benchmarks.own_tags``): the average precision
from 10 examples is 0.96, with less regularisation 0.92, of cosines to the mean 0.93.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagtray.learn.vectors import Vectors

#: Inverse strength of the regularisation; the weights of all examples are brought to the mean 1.
STRENGTH = 1.0
#: What a counter-example weighs, against an example.
COUNTER_WEIGHT = 0.5
#: Parts of the cross-validation at most.
FOLDS = 5

Margins = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Examples:
    """Unit vectors: of what shows the tag, what is known not to, and what is presumed not to; (n, F) each."""

    shows: Vectors
    counter: Vectors
    presumed: Vectors


@dataclass(frozen=True, eq=False)
class Linear:
    """``weights`` (F,) float32 and a bias: the margin is above 0 where the tag is likelier than not."""

    weights: NDArray[np.float32]
    bias: float

    def margins(self, vectors: Vectors) -> Margins:
        """(n,) of (n, F) unit vectors."""
        return (vectors @ self.weights).astype(np.float64) + self.bias


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The margin of each example by a classifier that was not trained with it."""

    shows: Margins
    counter: Margins
    presumed: Margins


def train(examples: Examples) -> Linear:
    """Fit the classifier; as much weight lies on the examples as on all that is presumed not to be one."""
    # Here, not above: importing it takes a second.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    shows, counter, presumed = examples.shows, examples.counter, examples.presumed
    # As all vectors lie around one middle, their distances from it are made 1 on the average.
    middle = presumed.mean(0)
    distance = max(float(np.sqrt(np.square(presumed - middle).sum(1).mean())), 1e-6)
    vectors = (np.concatenate([shows, counter, presumed]) - middle) / distance
    is_shown = np.repeat([1, 0, 0], [len(shows), len(counter), len(presumed)])
    each = 1 / max(len(shows), 1)
    weights = np.repeat(
        [each, each * COUNTER_WEIGHT, 1 / max(len(presumed), 1)], [len(shows), len(counter), len(presumed)]
    )
    _use_one_blas_thread()
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3)
    with warnings.catch_warnings():
        # One that has not settled to the last digit is as good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors, is_shown, sample_weight=weights / weights.mean())
    coefficients = model.coef_[0].astype(np.float32) / np.float32(distance)
    return Linear(coefficients, float(model.intercept_[0] - coefficients @ middle))


@functools.cache
def _use_one_blas_thread() -> None:
    """From now on in this process: with two that wait for each other a fit takes 8 times as long, or 25."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")


def hold_out(examples: Examples, rng: np.random.Generator) -> HeldOut:
    """Margins by cross-validation; every part trains without a share of each kind of example."""
    groups = (examples.shows, examples.counter, examples.presumed)
    parts = min(FOLDS, len(examples.shows))
    fold = [rng.permutation(len(group)) % parts for group in groups]
    margins = [np.zeros(len(group)) for group in groups]
    for part in range(parts):
        rest = [group[of != part] for group, of in zip(groups, fold, strict=True)]
        classifier = train(Examples(*rest))
        for group, of, margin in zip(groups, fold, margins, strict=True):
            margin[of == part] = classifier.margins(group[of == part])
    return HeldOut(*margins)
