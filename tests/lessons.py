"""Ledgers with photos of several kinds, told apart by made-up features, as tests of own tags need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagtray.db.ledger import Ledger
from tagtray.db.records import Done, Provenance
from tests import builders

#: Numbers of a vector.
WIDTH = 32
#: How far photos of a kind lie from its middle, which is as far from others as 1.
SPREAD = 0.06


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
    """Photos named KIND/0-0.jpg and so on (0-: the seed), classified by the small model."""
    vectors = {kind: features(kind, count, seed) for kind, count in kinds.items()}
    names = {kind: _names(f"{kind}/{seed}-", count) for kind, count in kinds.items()}
    images = _claim(ledger, root_id, names)
    for kind, ids in images.items():
        _commit(ledger, f"{kind}/{seed}-", ids, vectors[kind])
    known = _contents(ledger)
    return Photos({kind: [known[image] for image in ids] for kind, ids in images.items()}, images)


def others(count: int) -> dict[str, int]:
    """Twenty kinds of other photos, so many together."""
    return {f"other{number}": count // 20 for number in range(20)}


def classify(
    ledger: Ledger, root_id: int, prefix: str, vectors: Sequence[bytes | None]
) -> tuple[list[int], list[int]]:
    """Register images and commit them with these features; their contents and their ids."""
    ids = _claim(ledger, root_id, {prefix: _names(prefix, len(vectors))})[prefix]
    _commit(ledger, prefix, ids, vectors)
    known = _contents(ledger)
    return [known[image] for image in ids], ids


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}.jpg" for number in range(count)]


def _claim(ledger: Ledger, root_id: int, names: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Register images of each kind and take them into a worker's hands, all at once."""
    files = [builders.seen(name) for of_kind in names.values() for name in of_kind]
    ids = ledger.register(root_id, files).ids
    ledger.take_pending(len(files))
    ledger.claim([*ids.values()], "w", 60.0, builders.MODEL_ID)
    return {kind: [ids[name.encode()] for name in of_kind] for kind, of_kind in names.items()}


def _commit(ledger: Ledger, prefix: str, ids: Sequence[int], vectors: Sequence[bytes | None]) -> None:
    done = [
        builders.done(image, f"{prefix}{image}", replace(builders.content(), features=vector))
        for image, vector in zip(ids, vectors, strict=True)
    ]
    builders.commit(ledger, *done)


def _contents(ledger: Ledger) -> dict[int, int]:
    return dict(builders.query(ledger, "SELECT id, content_id FROM images"))


def classify_again(ledger: Ledger, photos: Photos, model_id: int) -> None:
    """Have another model see all photos, in vectors that are none of the first one's."""
    turn = np.random.default_rng(5).permutation(WIDTH)
    hashes = dict(builders.query(ledger, "SELECT id, sha256 FROM contents"))
    done = []
    for kind, contents in photos.contents.items():
        for content, image, vector in zip(
            contents, photos.images[kind], features(kind, len(contents), seed=9), strict=True
        ):
            turned = np.concatenate([np.frombuffer(vector, "<f2")[turn], np.ones(4, "<f2")])
            new = replace(builders.content(), features=turned.astype("<f2").tobytes())
            done.append(Done(image, hashes[content], 10, 1, new))
    builders.execute(ledger, "UPDATE images SET status = 'queued'")
    ledger.claim([one.image_id for one in done], "w", 60.0, model_id)
    ledger.commit("w", Provenance(model_id, "torch", "fp32", "draft"), done)
