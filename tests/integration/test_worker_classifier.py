"""Slots in, scores out, with every engine: torchvision's scores, in memory that is allocated once."""

from __future__ import annotations

import copy
import functools
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tagtray.config.errors import EngineError
from tagtray.worker.engines import classifier, rollup, selection
from tagtray.worker.engines.classifier import BatchClassifier, Classifier
from tests import networks, references
from tests.models import DEFAULT, SHAPE

#: One slice of the network and a part of another.
BATCH = classifier.SLICE + 3
FEW = 3
ROLL_UP = rollup.load(DEFAULT)
#: How far a probability of noise may be from torchvision's, by precision.
TOLERANCE = {"fp32": 1e-4, "bf16": 0.02, "int8": 0.05}
#: Least cosine between the features of two engines, by precision.
COSINE = {"fp32": 0.999, "bf16": 0.99, "int8": 0.99}


class Way(NamedTuple):
    """An engine and a precision that this machine can run."""

    engine: str
    precision: str


WAYS = [
    Way(choice.engine, choice.precision) for choice in selection.available() if selection.is_native(choice)
]
each_way = pytest.mark.parametrize("way", WAYS, ids="-".join)


def load(way: Way, batch_size: int) -> BatchClassifier:
    choice = selection.Choice(*way)
    return selection.load(choice, DEFAULT, networks.home(networks.TRACE), ROLL_UP, batch_size, 1)


@functools.cache
def pictures() -> NDArray[np.uint8]:
    """Noise; the last picture is the first one."""
    made = np.random.default_rng(3).integers(0, 256, (BATCH, *SHAPE), dtype=np.uint8)
    made[-1] = made[0]
    return made


@functools.cache
def engine(way: Way) -> BatchClassifier:
    """A classifier whose slots are full of noise."""
    made = load(way, BATCH)
    made.slots[:] = pictures()
    return made


@functools.cache
def reference() -> NDArray[np.float32]:
    return references.probabilities(pictures())


def addresses(made: BatchClassifier) -> dict[str, int]:
    buffers = {name: value for name, value in vars(made).items() if isinstance(value, np.ndarray)}
    return {name: buffer.ctypes.data for name, buffer in buffers.items()}


@each_way
@pytest.mark.parametrize("n", [1, classifier.SLICE, BATCH])
def test_the_first_n_slots_score_as_torchvision_says(way: Way, n: int) -> None:
    # Given full slots, when the first n are classified
    scores = engine(way).classify(n)
    # Then Top-3 and tags are those of torchvision's softmax
    softmax, tolerance = reference()[:n], TOLERANCE[way.precision]
    best = np.sort(softmax, axis=1)[:, :-4:-1]
    assert len(scores) == n
    assert np.abs(scores.top_score - best).max() <= tolerance
    assert np.abs(np.take_along_axis(softmax, scores.top_index, 1) - best).max() <= tolerance
    assert np.abs(scores.tag_scores - softmax @ ROLL_UP.matrix).max() <= 3 * tolerance
    assert scores.tag_scores.max() <= 1


@each_way
def test_every_engine_gives_the_same_features(way: Way) -> None:
    # Given the features of torch in fp32
    expected = engine(Way("torch", "fp32")).classify(FEW).features.astype(np.float32)
    # When another engine or precision runs the network
    found = engine(way).classify(FEW).features.astype(np.float32)
    # Then its vectors point the same way
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((found * expected).sum(axis=1) / lengths).min() >= COSINE[way.precision]


def test_an_engine_says_which_precision_this_processor_has_not() -> None:
    for choice in selection.available():
        if not selection.is_native(choice):
            with pytest.raises(EngineError, match="no bf16 of its own"):
                load(Way(choice.engine, choice.precision), 1)


@each_way
def test_shapes_and_types_are_those_of_the_protocol(way: Way) -> None:
    made: Classifier = engine(way)
    scores = made.classify(2)
    assert made.batch_size == BATCH
    assert (made.slots.shape, made.slots.dtype.name) == ((BATCH, *SHAPE), "uint8")
    assert (scores.top_index.shape, scores.top_index.dtype.name) == ((2, 3), "int64")
    assert (scores.top_score.shape, scores.top_score.dtype.name) == ((2, 3), "float32")
    assert (np.diff(scores.top_score) <= 0).all()
    assert scores.tag_scores.shape == (2, len(ROLL_UP.wnids))
    assert scores.tag_scores.dtype.name == "float32"
    assert scores.features.shape == (2, DEFAULT.network.features)
    assert scores.features.dtype.name == "float16"


@each_way
def test_every_buffer_stays_where_it_is_over_many_batches(way: Way) -> None:
    # Given a classifier that has seen a batch
    made = engine(way)
    made.warm_up()
    before, slots = addresses(made), made.slots
    # When more batches of several sizes follow
    for n in (BATCH, 1, 5):
        made.classify(n)
    # Then none of its buffers was allocated anew
    assert addresses(made) == before
    assert {"_slots", "_logits", "_features", "_softmax", "_tags"} <= before.keys()
    assert made.slots is slots


def test_the_slots_are_the_input_of_torch_in_channels_last() -> None:
    made = engine(Way("torch", "fp32"))
    tensors = {name: value for name, value in vars(made).items() if isinstance(value, torch.Tensor)}
    assert tensors["_input"].data_ptr() == made.slots.ctypes.data
    assert tensors["_input"].is_contiguous(memory_format=torch.channels_last)
    outputs = [tensor.data_ptr() for tensor in vars(made)["_outputs"]]
    assert outputs == [addresses(made)["_logits"], addresses(made)["_features"]]


@each_way
def test_scores_that_were_handed_out_do_not_change_with_the_next_batch(way: Way) -> None:
    # Given the scores of one image
    made = engine(way)
    first = made.classify(1)
    kept = copy.deepcopy(first)
    # When another image takes its slot
    made.slots[0] = pictures()[1]
    second = made.classify(1)
    made.slots[0] = pictures()[0]
    # Then the first scores are as they were
    assert not np.array_equal(first.top_score, second.top_score)
    np.testing.assert_array_equal(first.top_index, kept.top_index)
    np.testing.assert_array_equal(first.top_score, kept.top_score)
    np.testing.assert_array_equal(first.tag_scores, kept.tag_scores)
    np.testing.assert_array_equal(first.features, kept.features)


@each_way
def test_an_image_scores_the_same_whatever_lies_beside_it(way: Way) -> None:
    # Given an image in the first slot and in the last one
    scores = engine(way).classify(BATCH)
    # Then both have the same scores, up to rounding
    assert scores.top_index[0].tolist() == scores.top_index[-1].tolist()
    np.testing.assert_allclose(scores.top_score[0], scores.top_score[-1], atol=1e-5)


@pytest.mark.parametrize("n", [0, -1, BATCH + 1])
def test_more_images_than_slots_or_none_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} images do not fit into a batch of {BATCH}"):
        engine(Way("torch", "fp32")).classify(n)
