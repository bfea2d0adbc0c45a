"""The photos whose answer would help a tag most: the classifier is in doubt, and they are unlike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, select

from tagtray.config.settings import Settings
from tagtray.db import current_model, verdicts
from tagtray.db.access.transactions import read
from tagtray.db.own_scores import Scores
from tagtray.db.tables import OwnTagClassifier, Threshold
from tagtray.learn import index, similar, vectors
from tagtray.learn.index import Index
from tagtray.learn.similar import Photo

#: Undecided photos that the unlike ones are chosen among, for each that is wanted.
CHOICE = 10
#: Scores from 0 to 1 that count as much as one unit of cosine when photos are chosen.
WEIGHT = 1.0
#: The score at which a classifier is undecided that finds nothing yet.
UNDECIDED = 0.5
_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo to be judged; ``score`` None: nothing is learned yet, and it is like the examples."""

    photo: Photo
    score: float | None


def candidates(engine: Engine, settings: Settings, wnid: str, limit: int) -> list[Candidate]:
    """At most ``limit`` photos that nobody has judged for an own tag, the most helpful first."""
    model = current_model.current(engine)
    known = index.opened(engine, settings, model.id)
    shows, shows_not = read(engine, lambda connection: verdicts.examples(connection, wnid))
    learned = read(engine, lambda connection: _classifier(connection, wnid, model.id))
    if not len(known) or not (learned or shows):
        return []
    if learned:
        scores = _all(known, lambda page: learned[0].all(page)[:, 0])
        doubt = np.abs(scores - learned[1])
    else:
        _, likes = read(engine, lambda connection: vectors.of(connection, model.id, shows))
        if not len(likes):
            return []
        doubt = -_all(known, lambda page: page @ likes.mean(0))
    doubt[np.isin(known.ids, shows + shows_not)] = np.inf
    places = _unlike(known, doubt, limit)
    shown = read(engine, lambda connection: similar.photos(connection, known.ids[places].tolist()))
    first = {photo.content_id: photo for photo in reversed(shown)}
    return [
        Candidate(first[content_id], float(scores[place]) if learned else None)
        for place, content_id in zip(places, known.ids[places].tolist(), strict=True)
        if content_id in first
    ]


def _classifier(connection: Connection, wnid: str, model_id: int) -> tuple[Scores, float] | None:
    """What was learned, and the score at which it is undecided."""
    mine = (Threshold.wnid == wnid) & (Threshold.model_id == model_id)
    query = select(OwnTagClassifier.weights, OwnTagClassifier.bias, Threshold.score).join(Threshold, mine)
    here = (OwnTagClassifier.wnid == wnid) & (OwnTagClassifier.model_id == model_id)
    row = connection.execute(query.where(here)).one_or_none()
    if row is None:
        return None
    return Scores([(wnid, row.weights, row.bias)]), row.score if row.score < 1 else UNDECIDED


def _all(known: Index, measure: Callable[[_Floats], _Floats]) -> _Floats:
    """What ``measure`` makes of every vector, (n,)."""
    return np.concatenate([measure(known.vectors(block)) for block in known.blocks()])


def _unlike(known: Index, doubt: _Floats, limit: int) -> list[int]:
    """The places of contents of little doubt that are far from each other, one by one."""
    pool = np.argsort(doubt, kind="stable")[: limit * CHOICE]
    pool = pool[np.isfinite(doubt[pool])]
    if not len(pool):
        return []
    page, cost = known.vectors(pool), doubt[pool] - doubt[pool].min()
    chosen = [0]
    nearest = page @ page[0]
    while len(chosen) < min(limit, len(pool)):
        value = -nearest - WEIGHT * cost
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
        nearest = np.maximum(nearest, page @ page[chosen[-1]])
    return [int(pool[place]) for place in chosen]
