"""What a worker loads once: the current model, and the engine that runs its network."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.errors import WeightsError
from tagtray.config.outage import LOG_INTERVAL
from tagtray.config.settings import Settings
from tagtray.db import current_model
from tagtray.db.records import Provenance
from tagtray.weights.model import Model
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, selection
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.engines.rollup import RollUp
from tagtray.worker.supervision.progress import Phase, Progress

#: Seconds between looks for the weights of the current model, where this host lacks them.
WEIGHTS_POLL = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, ready to classify; ``provenance`` is what its results are stored with."""

    model: Model
    roll_up: RollUp
    classifier: BatchClassifier
    provenance: Provenance


def load(settings: Settings, database: Engine, threads: int, progress: Progress) -> Loaded:
    """Load the current model; waits while this host does not have its weights.

    Raises EngineError or WeightsError where no engine can run it here.
    """
    model_id, model = _current_model(settings, database, progress)
    roll_up = rollup.load(model)
    classifier = selection.load_best(settings, model, roll_up, threads)
    decode = "exact" if settings.exact else "draft"
    provenance = Provenance(model_id, classifier.engine, classifier.precision, decode)
    return Loaded(model, roll_up, classifier, provenance)


def _current_model(settings: Settings, database: Engine, progress: Progress) -> tuple[int, Model]:
    throttle = logs.Throttle(LOG_INTERVAL)
    while True:
        progress.enter(Phase.STARTING)
        current = current_model.current(database)
        try:
            return current.id, ModelStore.of(settings.home).model(current.name, current.weights_sha256)
        except WeightsError as error:
            if throttle.is_due(current.id):
                sentence = "{error} Nothing is classified here until it has them."
                logs.event(log, logging.ERROR, "weights_missing", sentence, error=error)
        time.sleep(WEIGHTS_POLL)
