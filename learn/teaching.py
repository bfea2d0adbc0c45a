"""Own tags from examples: they are kept, a classifier is learned, and the collection is gone through.

examples -> train (some thousand other photos are presumed to show something else)
         -> calibrate on the margins of the whole collection -> publish with the scores of all photos
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, case, func, select

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.db import current_model, own_scores, own_tags, verdicts
from tagtray.db.access.transactions import read, write
from tagtray.db.own_tags import STORED, Classifier
from tagtray.db.tables import Classification, Feature, OwnTag, OwnTagClassifier, Verdict
from tagtray.db.verdicts import Said
from tagtray.learn import calibration, classifier, names, vectors
from tagtray.learn.calibration import Calibration
from tagtray.learn.classifier import Examples, Linear, Margins
from tagtray.learn.vectors import Ids

#: Examples that it takes to learn a tag, and other photos with features.
LEAST_EXAMPLES, LEAST_OTHERS = 5, 30
#: Other photos that are presumed not to show the tag; more do not make it better.
PRESUMED = 4_000
#: Times as many other photos as it was learned from, from which it is worth learning anew.
GROWN = 2
#: Beginning of the random numbers: the same examples give the same classifier.
SEED = 15


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of an own tag: ``found`` photos, of which the share ``precision`` is expected to be right.

    ``examples`` show it, ``counter_examples`` do not; ``waiting`` of both have no features of the current
    model yet; ``others`` are all other photos. ``reason`` says why nothing is found but what people said.
    """

    wnid: str
    name: str
    examples: int
    counter_examples: int
    waiting: int
    others: int
    found: int
    precision: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Known:
    """An own tag as it stands when it is learned."""

    name: str
    model_id: int
    examples_version: int
    shows: Sequence[int]
    counter: Sequence[int]


def say(
    engine: Engine,
    name: str,
    shows: Sequence[int],
    shows_not: Sequence[int],
    by: str,
    parent: str | None = None,
) -> str:
    """Keep contents as examples and counter-examples of an own tag, which is begun if need be; its wnid.

    Raises UsageError, with nothing changed, for a name that is taken or contents that are both.
    """
    if set(shows) & set(shows_not):
        raise UsageError("A photo cannot show a tag and not show it; leave it out on one side.")
    said = [(content_id, True) for content_id in shows] + [(content_id, False) for content_id in shows_not]

    def work(connection: Connection) -> str:
        wnid = names.begin(connection, name)
        if parent is not None:
            names.put_below(connection, wnid, parent)
        verdicts.record(connection, [Said(content_id, wnid, it) for content_id, it in said], by)
        return wnid

    return write(engine, work)


def learn(engine: Engine, wnid: str) -> Learned:
    """Learn an own tag from its examples, and give it to the collection; raises UsageError if it is gone.

    Of two that learn at once, what came of the later examples stands.
    """
    known = read(engine, lambda connection: _known(connection, wnid))
    shows, examples = read(engine, lambda connection: vectors.of(connection, known.model_id, known.shows))
    against, counter = read(engine, lambda connection: vectors.of(connection, known.model_id, known.counter))
    everything = read(engine, lambda connection: vectors.ids(connection, known.model_id))
    others = np.setdiff1d(everything, np.concatenate([shows, against]), assume_unique=True)
    waiting = len(known.shows) + len(known.counter) - len(shows) - len(against)
    counts = (len(known.shows), len(known.counter), waiting, len(others))
    reason = _too_few(known, len(shows), len(others))
    if reason:
        return Learned(wnid, known.name, *counts, 0, 0.0, reason)
    rng = np.random.default_rng(SEED)
    sample = np.sort(rng.choice(others, min(PRESUMED, len(others)), replace=False))
    _, presumed = read(engine, lambda connection: vectors.of(connection, known.model_id, sample.tolist()))
    material = Examples(examples, counter.reshape(len(counter), examples.shape[1]), presumed)
    held_out = classifier.hold_out(material, rng)
    linear = classifier.train(material)
    seen, margins = _margins(engine, known.model_id, linear)
    judged = _calibration_margins(seen, margins, others, sample, held_out.presumed)
    calibrated = calibration.calibrate(held_out, judged)
    learned = _classifier(
        wnid, known, calibrated, calibrated.applied(linear), (len(shows), len(against), len(others))
    )
    scores = own_scores.scores_of((margins * calibrated.slope + calibrated.offset).astype(np.float32))
    _publish(engine, learned, seen, scores)
    found = int(np.isin(seen[scores >= learned.threshold], others).sum())
    reason = None if calibrated.tells else _indistinct(known)
    return Learned(wnid, known.name, *counts, found, calibrated.precision, reason)


def outdated(engine: Engine) -> list[str]:
    """Own tags that could be learned better by now under the current model.

    Their examples are others, more of them have features, or there are twice as many other photos.
    """

    def work(connection: Connection) -> list[str]:
        tags = dict(connection.execute(select(OwnTag.wnid, OwnTag.examples_version)).all())
        if not tags:
            return []
        model_id = _model_id(connection)
        columns = (OwnTagClassifier.examples_version, OwnTagClassifier.positives, OwnTagClassifier.negatives)
        query = select(OwnTagClassifier.wnid, *columns, OwnTagClassifier.others)
        learned = {
            row.wnid: row for row in connection.execute(query.where(OwnTagClassifier.model_id == model_id))
        }
        photos = connection.scalar(select(func.count()).where(Classification.model_id == model_id)) or 0
        there, shows = _examples_with_features(connection, model_id)
        return [
            wnid
            for wnid, version in tags.items()
            if shows.get(wnid, 0) >= LEAST_EXAMPLES
            and (
                (row := learned.get(wnid)) is None
                or row.examples_version != version
                or row.positives + row.negatives < there.get(wnid, 0)
                or photos - there.get(wnid, 0) >= GROWN * row.others
            )
        ]

    return read(engine, work)


def _examples_with_features(connection: Connection, model_id: int) -> tuple[dict[str, int], dict[str, int]]:
    """How many examples of each own tag have features under a model, and how many of them show it."""
    confirms = func.sum(case((Verdict.verdict > 0, 1), else_=0))
    query = (
        select(Verdict.wnid, func.count(), confirms)
        .join(OwnTag, OwnTag.wnid == Verdict.wnid)
        .join(Feature, (Feature.content_id == Verdict.content_id) & (Feature.model_id == model_id))
        .where(verdicts.counts())
        .group_by(Verdict.wnid)
    )
    rows = connection.execute(query).all()
    return {wnid: count for wnid, count, _ in rows}, {wnid: int(shows) for wnid, _, shows in rows}


def _model_id(connection: Connection) -> int:
    model = current_model.seen_by(connection)
    if model is None:
        raise InfrastructureError("The database knows no model yet; `tagtray db upgrade` brings it in.")
    return model.id


def _known(connection: Connection, wnid: str) -> _Known:
    version = connection.scalar(select(OwnTag.examples_version).where(OwnTag.wnid == wnid))
    if version is None:
        raise UsageError("This own tag was forgotten meanwhile.")
    query = select(Verdict.content_id, Verdict.verdict).where(Verdict.wnid == wnid, verdicts.counts())
    rows = connection.execute(query.order_by(Verdict.content_id)).all()
    return _Known(
        names.own(connection)[wnid],
        _model_id(connection),
        version,
        [content_id for content_id, verdict in rows if verdict > 0],
        [content_id for content_id, verdict in rows if verdict < 0],
    )


def _too_few(known: _Known, examples: int, others: int) -> str | None:
    """Why nothing can be learned yet."""
    if examples < LEAST_EXAMPLES:
        there = f"{examples} {'example' if examples == 1 else 'examples'}"
        later = len(known.shows) - examples
        more = f" ({later} more wait to be classified)" if later else ""
        return f"{there}{more}; from {LEAST_EXAMPLES} on it is looked for on other photos"
    if others < LEAST_OTHERS:
        return f"only {others} other photos are classified; it takes {LEAST_OTHERS} to tell it from"
    return None


def _indistinct(known: _Known) -> str:
    return (
        f"the {len(known.shows)} examples do not tell it from other photos well enough; more of them help, "
        "and --not with photos that are mistaken for it"
    )


def _margins(engine: Engine, model_id: int, linear: Linear) -> tuple[Ids, Margins]:
    """The margins of all contents: (n,) ids in order, and (n,)."""
    found = [(ids, linear.margins(page)) for ids, page in vectors.pages(engine, model_id)]
    return np.concatenate([ids for ids, _ in found]), np.concatenate([margins for _, margins in found])


def _calibration_margins(seen: Ids, margins: Margins, others: Ids, sample: Ids, held_out: Margins) -> Margins:
    """Those of all photos that nobody has judged; of those that were trained with, the held-out ones."""
    margins = margins.copy()
    places = np.searchsorted(seen, sample)
    margins[places] = held_out
    return margins[np.isin(seen, others, assume_unique=True)]


def _classifier(
    wnid: str, known: _Known, calibrated: Calibration, linear: Linear, counts: tuple[int, int, int]
) -> Classifier:
    return Classifier(
        wnid,
        known.model_id,
        known.examples_version,
        *counts,
        linear.weights.astype("<f4").tobytes(),
        linear.bias,
        calibrated.threshold,
        calibrated.precision,
    )


def _publish(engine: Engine, learned: Classifier, seen: Ids, scores: NDArray[np.float32]) -> None:
    """Have it count; contents that came while the collection was gone through are looked at after that."""
    if not write(engine, lambda connection: own_tags.publish(connection, learned, _stored(seen, scores))):
        return

    def catch_up(connection: Connection) -> None:
        late = np.setdiff1d(vectors.ids(connection, learned.model_id), seen, assume_unique=True)
        if not len(late):
            return
        ids, page = vectors.of(connection, learned.model_id, late.tolist())
        judge = own_scores.Scores([(learned.wnid, learned.weights, learned.bias)])
        own_tags.add_scores(connection, learned, _stored(ids, judge.all(page)[:, 0]))

    write(engine, catch_up)


def _stored(ids: Ids, scores: NDArray[np.float32]) -> dict[int, float]:
    """What is worth storing of the scores of contents."""
    kept = np.flatnonzero(scores >= STORED)
    return {int(ids[place]): round(float(scores[place]), 6) for place in kept}
