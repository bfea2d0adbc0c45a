"""The models of this installation and their rows: which one is current, and how another becomes it."""

from __future__ import annotations

import dataclasses
import logging

from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.settings import Settings
from tagtray.db import current_model
from tagtray.db.current_model import ModelRows
from tagtray.db.labels import LabelRows
from tagtray.weights.labels import LabelSet
from tagtray.weights.model import Model
from tagtray.weights.store import ModelStore

log = logging.getLogger(__name__)


def current(database: Engine, settings: Settings) -> tuple[int, Model]:
    """Id and description of the current model.

    Raises InfrastructureError where the ledger has none, WeightsError where this installation does not have
    the weights that the ledger names.
    """
    row = current_model.current(database)
    return row.id, ModelStore.of(settings.home).model(row.name, row.weights_sha256)


def ensure(database: Engine, settings: Settings) -> bool:
    """Where the ledger has no current model, bring in the one that new ledgers begin with; True if so."""
    if current_model.find(database) is not None:
        return False
    bring_in(database, ModelStore.of(settings.home).default)
    return True


def renew(database: Engine, settings: Settings) -> bool:
    """Where a model that ships has other weights than the current one of its name, use those; True if so.

    The former ones came with another version of tagtray and are not here any more; their results stay.
    """
    row = current_model.find(database)
    store = ModelStore.of(settings.home)
    names = [model for model in store.models() if row and model.name == row.name]
    if row is None or not names or any(model.weights.sha256 == row.weights_sha256 for model in names):
        return False
    use(database, names[0])
    sentence = "{model} has other weights in this version; images are classified again behind new ones."
    logs.event(log, logging.WARNING, "model_renewed", sentence, model=row.name)
    return True


def bring_in(database: Engine, model: Model) -> int:
    """Bring the rows of a model into the ledger and return its id; it becomes current where none is."""
    return current_model.bring_in(database, _rows(model))


def known(database: Engine, settings: Settings, name: str, weights_sha256: str) -> int:
    """Id of the model with this name and these weights; it is brought in where this installation has it.

    Raises WeightsError where neither it nor the ledger does.
    """
    if (model_id := current_model.id_of(database, name, weights_sha256)) is not None:
        return model_id
    return bring_in(database, ModelStore.of(settings.home).model(name, weights_sha256))


def use(database: Engine, model: Model) -> int:
    """Make a model the current one and return its id; raises WeightsError where its files are damaged."""
    model.verify()
    model_id = bring_in(database, model)
    current_model.use(database, model_id)
    return model_id


def _rows(model: Model) -> ModelRows:
    return ModelRows(
        model={
            "name": model.name,
            "architecture": model.architecture,
            "label_set": model.label_set,
            "weights_sha256": model.weights.sha256,
            "input": model.input.as_json(),
        },
        labels=_label_rows(model.labels),
        thresholds={"": model.thresholds.overall, **model.thresholds.categories},
    )


def _label_rows(labels: LabelSet) -> LabelRows:
    return LabelRows(
        labels.name,
        [
            {**dataclasses.asdict(label), "label_set": labels.name, "aliases": "|".join(label.aliases)}
            for label in labels.labels
        ],
        [
            {**dataclasses.asdict(category), "aliases": "|".join(category.aliases)}
            for category in labels.categories
        ],
        [{"class_wnid": below, "category_wnid": above} for below, above in labels.closure],
    )
