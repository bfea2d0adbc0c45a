"""Own tags from examples: they are kept, a classifier is learned, and the collection is gone through.

examples -> train (some thousand other photos are presumed to show something else)
         -> calibrate on the margins of the whole collection -> publish with the scores of all photos
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, case, func, select

from tagtray.config.errors import UsageError
from tagtray.config.text import counted
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
    """What came of an own tag: ``found`` photos, of which at least the share ``precision`` is likely right.

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


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What an own tag is learned from: ``sample`` are the ids of the photos that are presumed not to show it.

    ``others`` are all that nobody has judged, ``waiting`` the examples without features.
    """

    examples: Examples
    sample: Ids
    others: Ids
    waiting: int


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

    Of two that learn at once, what came of the later examples stands. What was learned before is withdrawn
    where too many examples were taken back.
    """
    known = read(engine, lambda connection: _known(connection, wnid))
    lesson = _prepare(engine, known)
    shows, counter = len(lesson.examples.shows), len(lesson.examples.counter)
    reason = _too_few(known, shows, len(lesson.others))
    counts = (len(known.shows), len(known.counter), lesson.waiting, len(lesson.others))
    answer = Learned(wnid, known.name, *counts, 0, 0.0, reason)
    if reason:
        if len(known.shows) < LEAST_EXAMPLES:
            write(engine, lambda connection: own_tags.withdraw(connection, wnid))
        return answer
    calibrated, linear, seen, margins = _study(engine, known.model_id, lesson)
    learned = _classifier(wnid, known, calibrated, linear, (shows, counter, len(lesson.others)))
    scores = own_scores.scores_of(margins.astype(np.float32))
    _publish(engine, learned, seen, scores)
    found = int(np.isin(seen[scores >= learned.threshold], lesson.others).sum())
    reason = None if calibrated.tells else _indistinct(known)
    return replace(answer, found=found, precision=calibrated.precision, reason=reason)


def outdated(engine: Engine) -> list[str]:
    """Own tags that could be learned better by now under the current model.

    Their examples are others, more of them have features, or there are twice as many other photos.
    """

    def work(connection: Connection) -> list[str]:
        tags = dict(connection.execute(select(OwnTag.wnid, OwnTag.examples_version)).all())
        if not tags:
            return []
        model_id = current_model.required_by(connection).id
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
        .where(Verdict.counts())
        .group_by(Verdict.wnid)
    )
    rows = connection.execute(query).all()
    return {wnid: count for wnid, count, _ in rows}, {wnid: int(shows) for wnid, _, shows in rows}


def _known(connection: Connection, wnid: str) -> _Known:
    version = connection.scalar(select(OwnTag.examples_version).where(OwnTag.wnid == wnid))
    if version is None:
        raise UsageError("This own tag was forgotten meanwhile.")
    model = current_model.required_by(connection)
    return _Known(own_tags.names(connection)[wnid], model.id, version, *verdicts.examples(connection, wnid))


def _too_few(known: _Known, examples: int, others: int) -> str | None:
    """Why nothing can be learned yet."""
    if examples < LEAST_EXAMPLES:
        there, later = counted(examples, "example"), len(known.shows) - examples
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


def _prepare(engine: Engine, known: _Known) -> _Lesson:
    """The vectors of the examples, and of some other photos."""

    def look(connection: Connection) -> _Lesson:
        shows, examples = vectors.of(connection, known.model_id, known.shows)
        against, counter = vectors.of(connection, known.model_id, known.counter)
        everything = vectors.ids(connection, known.model_id)
        others = np.setdiff1d(everything, np.concatenate([shows, against]), assume_unique=True)
        chosen = np.random.default_rng(SEED).choice(others, min(PRESUMED, len(others)), replace=False)
        sample, presumed = vectors.of(connection, known.model_id, np.sort(chosen).tolist())
        waiting = len(known.shows) + len(known.counter) - len(shows) - len(against)
        return _Lesson(Examples(examples, counter, presumed), sample, others, waiting)

    return read(engine, look)


def _study(engine: Engine, model_id: int, lesson: _Lesson) -> tuple[Calibration, Linear, Ids, Margins]:
    """Train and calibrate; what comes of it, and the ids and the calibrated margins of all contents."""
    held_out = classifier.hold_out(lesson.examples, np.random.default_rng(SEED))
    linear = classifier.train(lesson.examples)
    pages = [(ids, linear.margins(page)) for ids, page in vectors.pages(engine, model_id)]
    seen, margins = (np.concatenate(parts) for parts in zip(*pages, strict=True))
    # Those that were trained with count as they are when they are held out.
    fair = margins.copy()
    fair[np.searchsorted(seen, lesson.sample)] = held_out.presumed
    calibrated = calibration.calibrate(held_out, fair[np.isin(seen, lesson.others, assume_unique=True)])
    return calibrated, calibrated.applied(linear), seen, margins * calibrated.slope + calibrated.offset


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
    return {int(ids[place]): round(float(scores[place]), own_scores.DIGITS) for place in kept}
