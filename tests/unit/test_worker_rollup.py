"""Classes roll up to their ancestors, exactly and for the whole batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tagtray.worker.engines import rollup
from tests import models

DOG, CAT, ANIMAL = "n02084071", "n02121620", "n00015388"
SMALL = rollup.RollUp((DOG, CAT, ANIMAL), np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 0, 0]], np.float32))


def summed(probabilities: NDArray[np.float32], roll_up: rollup.RollUp) -> NDArray[np.float32]:
    out = np.empty((len(probabilities), len(roll_up.wnids)), np.float32)
    return rollup.sum_members(probabilities, roll_up.matrix, out)


def test_a_class_counts_for_every_one_of_its_ancestors() -> None:
    # Given an image that is one breed or the other, and a little of a cat
    probabilities = np.array([[0.5, 0.25, 0.125, 0.125]], np.float32)
    # When its scores are summed
    tags = summed(probabilities, SMALL)
    # Then dog has both breeds, and animal all three
    assert tags.tolist() == [[0.75, 0.125, 0.875]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_sums_are_those_of_the_closure_and_never_above_one(seed: int, images: int) -> None:
    roll_up = rollup.load(models.DEFAULT)
    logits = np.random.default_rng(seed).normal(scale=6, size=(images, len(roll_up.matrix)))
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    tags = summed(softmax.astype(np.float32), roll_up)
    np.testing.assert_allclose(tags, np.minimum(softmax @ roll_up.matrix, 1), atol=1e-5)
    assert tags.max() <= 1


def test_rounding_above_one_is_cut_off() -> None:
    # Given scores whose float32 sum is a hair above one
    ones = rollup.RollUp((ANIMAL,), np.ones((2, 1), np.float32))
    assert summed(np.array([[0.75, 0.2500001]], np.float32), ones).item() == 1.0


@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), max_size=6), st.floats(0, 1))
def test_entries_at_or_above_the_minimum_are_found_row_by_row(
    rows: list[list[float]], minimum: float
) -> None:
    tags = np.array(rows, np.float32).reshape(-1, 3)
    found = list(zip(*SMALL.above(tags, minimum), strict=True))
    least = np.float32(minimum)
    assert found == [(i, j) for i in range(len(tags)) for j in range(3) if tags[i, j] >= least]


def test_tags_of_each_image_come_with_their_wnid_best_first() -> None:
    scores = np.array([[0.75, 0.125, 0.875], [0, 0, 0], [0.5, 0.5, 0.25]], np.float32)
    assert SMALL.tags_above(scores, 0.5) == [
        [(ANIMAL, 0.875), (DOG, 0.75)],
        [],
        [(DOG, 0.5), (CAT, 0.5)],
    ]


def test_the_roll_up_of_a_model_is_that_of_its_labels() -> None:
    wnids, matrix = models.DEFAULT.labels.membership
    assert rollup.load(models.DEFAULT).wnids == wnids
    assert rollup.load(models.DEFAULT).matrix is matrix


def test_a_model_without_categories_has_no_tags(tmp_path: Path) -> None:
    # Given a model whose labels are words and nothing else
    roll_up = rollup.load(models.add(tmp_path))
    # When scores are summed, then there is nothing to show
    tags = summed(np.full((2, len(models.COLOURS)), 1 / 7, np.float32), roll_up)
    assert tags.shape == (2, 0)
    assert roll_up.tags_above(tags, 0.0) == [[], []]


def test_a_matrix_that_does_not_fit_its_categories_is_refused() -> None:
    with pytest.raises(ValueError, match="2 categories do not fit"):
        rollup.RollUp((DOG, CAT), np.zeros((4, 3), np.float32))
