"""A model over labelled photos, as workers run it: the same decoding, engine and precision."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tagtray.config import isolation
from tagtray.config.errors import ImageError, UsageError
from tagtray.config.settings import Settings
from tagtray.imaging.decode import decode_into
from tagtray.weights.model import Model
from tagtray.worker.engines import rollup, selection
from tagtray.worker.engines.classifier import BatchClassifier, Scores
from tagtray.worker.measure.accuracy import Answers
from tagtray.worker.measure.labelled import Labelled


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a model said, what computed it, and how many photos could not be read."""

    answers: Answers
    engine: str
    precision: str
    unreadable: int


def run(
    settings: Settings, model: Model, photos: Sequence[Labelled], threads: int, tick: Callable[[int], None]
) -> Evaluated:
    """Classify ``photos``; ``tick`` is told how many are done.

    Raises EngineError or WeightsError where no engine can run the model here, UsageError where no photo can
    be read.
    """
    isolation.keep_in(settings.home)
    classifier = selection.load_best(settings, model, rollup.load(model), threads)
    truth: list[int] = []
    found: list[Scores] = []
    remaining = iter(photos)
    while batch := list(itertools.islice(remaining, classifier.batch_size)):
        read = list(_read(settings, model, classifier, batch))
        if read:
            found.append(classifier.classify(len(read)))
            truth += read
        tick(len(batch))
    if not found:
        raise UsageError("None of the photos can be read.")
    answers = Answers(
        np.array(truth, np.int64),
        np.concatenate([scores.top_index for scores in found]),
        np.concatenate([scores.top_score for scores in found]),
        np.concatenate([scores.tag_scores for scores in found]),
    )
    return Evaluated(answers, classifier.engine, classifier.precision, len(photos) - len(truth))


def _read(
    settings: Settings, model: Model, classifier: BatchClassifier, batch: Sequence[Labelled]
) -> Iterator[int]:
    """Decode what can be read into the first slots; the classes of those photos."""
    slots = iter(classifier.slots)
    slot = next(slots)
    for photo in batch:
        try:
            decode_into(
                slot,
                photo.path.read_bytes(),
                model.input,
                exact=settings.exact,
                max_pixels=settings.max_pixels,
            )
        except (OSError, ImageError):
            continue
        yield photo.class_index
        slot = next(slots, slot)
