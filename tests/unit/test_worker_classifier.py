"""Slots in, scores out: the same as torchvision's, for every number of images, in memory allocated once."""

from __future__ import annotations

import copy
import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from config.errors import WeightsError
from tests import references, traces
from worker import classifier, rollup
from worker.classifier import Classifier

#: One slice of the network and a part of another.
BATCH = classifier.SLICE + 3


@functools.cache
def engine() -> classifier.TorchClassifier:
    """A classifier whose slots are full of noise."""
    made = classifier.load(traces.MODEL, traces.home(), rollup.load(), BATCH)
    made.slots[:] = np.random.default_rng(3).integers(0, 256, made.slots.shape, dtype=np.uint8)
    return made


@functools.cache
def reference() -> NDArray[np.float32]:
    return references.probabilities(engine().slots)


def addresses(made: classifier.TorchClassifier) -> dict[str, int]:
    tensors = {name: value for name, value in vars(made).items() if isinstance(value, torch.Tensor)}
    return {name: tensor.data_ptr() for name, tensor in tensors.items()}


@pytest.mark.parametrize("n", range(1, BATCH + 1))
def test_the_first_n_slots_score_as_torchvision_says(n: int) -> None:
    # Given full slots, when the first n are classified
    scores = engine().classify(n)
    # Then Top-3 and tags are those of torchvision's softmax
    softmax = reference()[:n]
    best = np.sort(softmax, axis=1)[:, :-4:-1]
    assert len(scores) == n
    assert np.abs(scores.top_score - best).max() <= 1e-4
    assert np.abs(np.take_along_axis(softmax, scores.top_index, 1) - best).max() <= 1e-4
    assert np.abs(scores.tag_scores - softmax @ rollup.load().matrix).max() <= 1e-4
    assert scores.tag_scores.max() <= 1


def test_shapes_and_types_are_those_of_the_protocol() -> None:
    made: Classifier = engine()
    scores = made.classify(2)
    assert made.batch_size == BATCH
    assert (made.slots.shape, made.slots.dtype.name) == ((BATCH, 224, 224, 3), "uint8")
    assert (scores.top_index.shape, scores.top_index.dtype.name) == ((2, 3), "int64")
    assert (scores.top_score.shape, scores.top_score.dtype.name) == ((2, 3), "float32")
    assert scores.tag_scores.shape == (2, len(rollup.load().wnids))
    assert scores.tag_scores.dtype.name == "float32"


def test_every_buffer_stays_where_it_is_over_many_batches() -> None:
    # Given a classifier that has seen a batch
    made = engine()
    made.warm_up()
    before, slots = addresses(made), made.slots
    # When more batches of several sizes follow
    for n in (BATCH, 1, 2, BATCH, 5):
        made.classify(n)
    # Then none of its buffers was allocated anew, and the slots are the network's input
    assert addresses(made) == before
    assert len(before) >= 6
    assert made.slots is slots
    assert slots.ctypes.data == before["_input"]


def test_the_slots_are_channels_last_for_the_network() -> None:
    seen = torch.from_numpy(engine().slots).permute(0, 3, 1, 2)
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_scores_that_were_handed_out_do_not_change_with_the_next_batch() -> None:
    # Given the scores of one image
    made = classifier.load(traces.MODEL, traces.home(), rollup.load(), 1)
    first = made.classify(1)
    kept = copy.deepcopy(first)
    # When another image takes its slot
    made.slots[0] = engine().slots[0]
    second = made.classify(1)
    # Then the first scores are as they were
    assert not np.array_equal(first.top_score, second.top_score)
    np.testing.assert_array_equal(first.top_index, kept.top_index)
    np.testing.assert_array_equal(first.top_score, kept.top_score)
    np.testing.assert_array_equal(first.tag_scores, kept.tag_scores)


@pytest.mark.parametrize("n", [0, -1, BATCH + 1])
def test_more_images_than_slots_or_none_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} images do not fit into a batch of {BATCH}"):
        engine().classify(n)


def test_threads_are_set_as_asked() -> None:
    classifier.set_threads(2)
    assert (torch.get_num_threads(), torch.get_num_interop_threads()) == (2, 1)
    classifier.set_threads(1)
    assert torch.get_num_threads() == 1


def test_weights_that_are_not_what_the_manifest_says_are_refused(tmp_path: Path) -> None:
    changed = dataclasses.replace(traces.MODEL.weights, sha256="0" * 64)
    with pytest.raises(WeightsError, match="damaged"):
        classifier.load(dataclasses.replace(traces.MODEL, weights=changed), tmp_path, rollup.load(), 1)
    assert not list(tmp_path.iterdir())
