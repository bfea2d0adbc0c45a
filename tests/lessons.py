"""Ledgers with photos of several kinds, told apart by made-up features, as tests of own tags need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagtray.db.ledger import Ledger
from tagtray.db.records import Done, NewContent, Provenance
from tests import builders

#: Numbers of a vector.
WIDTH = 32
#: How far photos of a kind lie from its middle, which is as far from others as 1.
SPREAD = 0.06
PAGE = 500


@dataclass(frozen=True)
class Photos:
    """The contents of each kind, and their images."""

    contents: Mapping[str, Sequence[int]]
    images: Mapping[str, Sequence[int]]


def features(kind: str, count: int, seed: int = 0) -> list[bytes]:
    """Vectors of a kind: others for another seed, around the same middle."""
    middle = np.random.default_rng(list(kind.encode())).random(WIDTH)
    middle[middle < 0.6] = 0
    noise = np.random.default_rng([seed, *kind.encode()]).normal(0, SPREAD, (count, WIDTH))
    vectors = np.maximum(middle / np.linalg.norm(middle) + noise, 0)
    return [vector.astype("<f2").tobytes() for vector in vectors * 30]


def collection(ledger: Ledger, root_id: int, kinds: Mapping[str, int], seed: int = 0) -> Photos:
    """Photos named KIND/0.jpg and so on, classified by the small model."""
    contents, images = {}, {}
    for kind, count in kinds.items():
        vectors = features(kind, count, seed)
        contents[kind], images[kind] = classify(ledger, root_id, f"{kind}/{seed}-", vectors)
    return Photos(contents, images)


def others(count: int) -> dict[str, int]:
    """Twenty kinds of other photos, so many together."""
    return {f"other{number}": count // 20 for number in range(20)}


def classify(
    ledger: Ledger,
    root_id: int,
    prefix: str,
    vectors: Sequence[bytes | None],
    new: NewContent | None = None,
    model_id: int = builders.MODEL_ID,
) -> tuple[list[int], list[int]]:
    """Register images and commit them with these features; their contents and their ids."""
    ids = builders.register(ledger, root_id, len(vectors), prefix)
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        ledger.take_pending(len(page))
        ledger.claim(page, "w", 60.0, model_id)
        done = [
            Done(
                image,
                builders.sha(f"{prefix}{image}"),
                10,
                1,
                replace(new or builders.content(), features=vector),
            )
            for image, vector in zip(page, vectors[start : start + PAGE], strict=True)
        ]
        ledger.commit("w", Provenance(model_id, "torch", "fp32", "draft"), done)
    found = dict(builders.query(ledger, "SELECT id, content_id FROM images"))
    return [found[image] for image in ids], ids
