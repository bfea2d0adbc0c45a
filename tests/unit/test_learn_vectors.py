"""Vectors: decoded from their bytes, compared in cells, and pictures compared in small."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tagtray.db import own_scores
from tagtray.imaging import small
from tagtray.learn import neighbours
from tagtray.learn.index import Index


def test_every_float16_is_decoded_as_it_is() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16)
    expected = halves.view(np.float16).astype(np.float32)
    finite = np.isfinite(expected)

    found = own_scores.floats(halves)

    assert (found[finite] == expected[finite]).all()
    assert np.isfinite(found).all()


def test_vectors_are_of_length_1_and_one_of_zeros_stays_so() -> None:
    stored = [np.array(vector, "<f2").tobytes() for vector in ([3, 4], [0, 0], [-5, 12])]

    found = own_scores.normalised(stored)

    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 0], [-5 / 13, 12 / 13]]), abs=1e-3)


def test_no_score_is_that_of_a_verdict() -> None:
    scores = own_scores.Scores([("own:1", np.array([100], "<f4").tobytes(), 100.0)])

    ((_, _, score),) = scores.of({7: np.array([1], "<f2").tobytes()})

    assert score < 1


def test_features_of_another_length_are_left_out() -> None:
    scores = own_scores.Scores([("own:1", np.array([1, 1], "<f4").tobytes(), 9.0)])

    assert [content for content, *_ in scores.of({1: bytes(4), 2: bytes(8), 3: bytes(3)})] == [1]


def index(count: int, copies: int, width: int = 24) -> tuple[Index, set[tuple[int, int]]]:
    """Random vectors, the last of which are near copies of the first; and these pairs."""
    rng = np.random.default_rng(0)
    vectors = rng.random((count, width)) ** 3
    vectors[-copies:] = vectors[:copies] + rng.normal(0, 0.005, (copies, width))
    vectors = np.maximum(vectors, 0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    halves = vectors.astype(np.float16).view(np.uint16)
    return Index(np.arange(count), halves), {(at, count - copies + at) for at in range(copies)}


@pytest.mark.parametrize("count", [1_500, 21_000])
def test_near_copies_are_found_among_few_and_many(count: int) -> None:
    known, copies = index(count, 200)

    found = set(neighbours.pairs(known, 0.998))

    assert len(copies & found) >= 0.97 * len(copies)
    assert all(one < other for one, other in found)


def test_the_nearest_come_in_their_order() -> None:
    known, _ = index(5_000, 10)
    everything = known.vectors(slice(0, 5_000))

    found = known.nearest(everything[3], 5)

    cosines = everything @ everything[3]
    assert [place for place, _ in found] == np.argsort(-cosines)[:5].tolist()
    assert found[0][1] == pytest.approx(1, abs=1e-3)
    assert Index(np.zeros(0, np.int64), np.zeros((0, 0), np.uint16)).nearest(everything[3], 5) == []


def scene(seed: int) -> Image.Image:
    """A picture of large shapes in colours."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((400, 300), Image.Resampling.BICUBIC)


def seen(picture: Image.Image, quality: int = 90) -> small.Picture:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return small.picture(file.getvalue(), 10**6)


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_is_known_at_another_size_quality_crop_and_light(seed: int) -> None:
    picture = scene(seed)
    original = seen(picture)

    for other in (
        seen(picture.resize((200, 150))),
        seen(picture, quality=60),
        seen(picture.crop((20, 15, 380, 285))),
        seen(ImageEnhance.Brightness(picture).enhance(1.1)),
    ):
        assert small.are_one(original, other) and small.are_one(other, original)


def test_other_pictures_are_others() -> None:
    pictures = [seen(scene(seed)) for seed in range(8)]
    mirrored = seen(scene(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    recoloured = seen(Image.merge("RGB", scene(0).split()[::-1]))

    assert not any(small.are_one(one, other) for one in pictures for other in pictures if one is not other)
    assert not small.are_one(pictures[0], mirrored)
    assert not small.are_one(pictures[0], recoloured)


def test_of_plain_areas_nothing_is_said() -> None:
    plain = np.full((small.SIDE, small.SIDE, 3), 128, np.float32)

    assert not small.are_one(plain, plain)
