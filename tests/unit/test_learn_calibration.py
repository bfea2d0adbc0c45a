"""Calibration: from margins of held-out examples and of a collection to a threshold that holds."""

from __future__ import annotations

import numpy as np
import pytest

from tagtray.learn import calibration
from tagtray.learn.calibration import Calibration
from tagtray.learn.classifier import HeldOut, Margins

NOTHING = np.zeros(0)


def collection(others: int, hidden: int, middle: float, seed: int = 0) -> tuple[Margins, np.ndarray]:
    """Margins of others, whose tail falls like that of real ones, and of photos that show the tag."""
    rng = np.random.default_rng(seed)
    margins = np.concatenate([rng.gumbel(-3.5, 0.5, others), rng.normal(middle, 1, hidden)])
    return margins, np.repeat([False, True], [others, hidden])


def examples(count: int, middle: float, seed: int = 1) -> Margins:
    return np.random.default_rng(seed).normal(middle, 1, count)


def shown(found: Calibration, margins: Margins) -> np.ndarray:
    score = 1 / (1 + np.exp(-(found.slope * margins + found.offset)))
    return np.asarray(score >= found.threshold)


@pytest.mark.parametrize("hidden", [20, 100, 600])
@pytest.mark.parametrize("count", [5, 10, 20])
def test_most_of_what_is_shown_is_right(count: int, hidden: int) -> None:
    margins, is_right = collection(2_000, hidden, 2.0)

    found = calibration.calibrate(HeldOut(examples(count, 2.0), NOTHING, NOTHING), margins)

    right = is_right[shown(found, margins)]
    assert right.mean() >= 0.85
    assert right.sum() >= 0.4 * hidden
    assert found.precision >= 0.85


@pytest.mark.parametrize("count", [5, 20])
def test_a_promise_is_kept_where_what_shows_the_tag_is_hardly_told_apart(count: int) -> None:
    missed = told = 0
    for seed in range(30):
        margins, is_right = collection(1_000, 50, -0.5, seed)
        held_out = HeldOut(examples(count, -0.5, 100 + seed), NOTHING, NOTHING)

        found = calibration.calibrate(held_out, margins)

        told += found.tells
        missed += found.tells and is_right[shown(found, margins)].mean() < found.precision - 0.1
    assert told >= 20 and missed <= 3


def test_weak_evidence_promises_less() -> None:
    def promised(count: int, middle: float) -> float:
        margins, _ = collection(1_000, 50, middle)
        return calibration.calibrate(HeldOut(examples(count, middle), NOTHING, NOTHING), margins).precision

    assert 0.5 < promised(5, -0.5) < promised(20, 2.0) - 0.05


def test_no_more_is_promised_of_few_photos_than_is_expected() -> None:
    margins, _ = collection(1_000, 2, 2.0)

    found = calibration.calibrate(HeldOut(examples(10, 2.0), NOTHING, NOTHING), margins)

    assert not found.tells or found.precision < 1


def test_a_rare_tag_is_promised_as_much_as_a_frequent_one() -> None:
    margins, is_right = collection(20_000, 20, 2.5)

    found = calibration.calibrate(HeldOut(examples(20, 2.5), NOTHING, NOTHING), margins)

    assert is_right[shown(found, margins)].mean() >= 0.85


def test_examples_that_look_like_everything_find_nothing() -> None:
    margins, _ = collection(2_000, 0, 0)

    found = calibration.calibrate(HeldOut(margins[:10], NOTHING, NOTHING), margins)

    assert not found.tells and not shown(found, margins).any()


def test_no_tag_is_on_most_of_a_collection() -> None:
    rng = np.random.default_rng(0)
    margins = np.concatenate([rng.gumbel(-3.5, 0.5, 100), rng.normal(2, 1, 900)])

    found = calibration.calibrate(HeldOut(examples(20, 2.0), NOTHING, NOTHING), margins)

    assert shown(found, margins).mean() <= calibration.LARGEST_SHARE


def test_counter_examples_raise_the_threshold() -> None:
    margins, _ = collection(2_000, 100, 2.0)
    plain = HeldOut(examples(20, 2.0), NOTHING, NOTHING)
    warned = HeldOut(plain.shows, np.full(5, 1.5), NOTHING)

    before, after = calibration.calibrate(plain, margins), calibration.calibrate(warned, margins)

    assert shown(after, margins).sum() < shown(before, margins).sum()
    assert not shown(after, np.array([1.5])).any()


def test_a_higher_margin_is_never_a_lower_score() -> None:
    margins, _ = collection(500, 50, 1.0)

    found = calibration.calibrate(HeldOut(examples(10, 1.0), NOTHING, NOTHING), margins)

    assert found.slope > 0 and 0.5 <= found.threshold < 1


@pytest.mark.parametrize("margins", [np.zeros(30), np.full(500, -3.0), np.linspace(-4, -3, 31)])
def test_any_collection_has_an_answer(margins: Margins) -> None:
    found = calibration.calibrate(HeldOut(np.zeros(5), NOTHING, NOTHING), margins)

    assert all(np.isfinite([found.slope, found.offset, found.threshold, found.precision]))
