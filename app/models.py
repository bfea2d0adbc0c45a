"""The models of this installation and their rows: which one is current, and how another becomes it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tagtray.db import current_model
from tagtray.db.current_model import ModelRows
from tagtray.db.labels import LabelRows
from tagtray.weights.store import ModelStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tagtray.config.settings import Settings
    from tagtray.weights.labels import LabelSet
    from tagtray.weights.model import Model


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


def bring_in(database: Engine, model: Model) -> int:
    """Bring the rows of a model into the ledger and return its id; it becomes current where none is."""
    return current_model.bring_in(database, _rows(model))


def use(database: Engine, model: Model) -> int:
    """Make a model the current one and return its id; raises WeightsError where its files are damaged."""
    model.verify()
    model_id = bring_in(database, model)
    current_model.use(database, model_id)
    return model_id


def in_ledger(settings: Settings) -> CurrentModel | None:
    """The current model of the ledger; None where there is no ledger yet."""
    if not bootstrap.exists(settings):
        return None
    with bootstrap.reading(settings) as database:
        return current_model.find(database)


def chosen(settings: Settings, name: str | None = None) -> Model:
    """The model of this name; without one the current one, or the default where there is no ledger yet."""
    store = ModelStore.of(settings.home)
    if name is not None:
        return store.model(name)
    row = in_ledger(settings)
    return store.model(row.name, row.weights_sha256) if row else store.default


def add(
    settings: Settings, file: Path, name: str, spec: InputSpec, architecture: str | None, labels: Path | None
) -> Model:
    """Copy weights into the user's models; without ``labels`` the classes are those of the default model.

    Raises UsageError where something does not fit, WeightsError with a sentence that names the key.
    """
    weights = foreign.read(file, architecture)
    named = _names(labels) if labels else ModelStore().default.labels
    classes = len(named.labels if isinstance(named, LabelSet) else named)
    if classes != weights.classes:
        source = labels or f"the label set {named.name!r}" if isinstance(named, LabelSet) else labels
        raise UsageError(f"{file} has {weights.classes:,} classes and {source} {classes:,}; give --labels FILE.")
    return user_models.add(settings.home, name, weights.architecture, weights.content, spec, named)


def _names(source: Path) -> list[str]:
    """The names of classes in a text file, one a line."""
    try:
        lines = source.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} cannot be read as UTF-8 text: {error}.") from error
    names = [" ".join(line.split()) for line in lines]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise UsageError(f"Line {names.index('') + 1} of {source} names no class.")
    return names


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
        [{"label_set": labels.name, **dataclasses.asdict(label)} for label in labels.labels],
        [
            {**dataclasses.asdict(category), "aliases": "|".join(category.aliases)}
            for category in labels.categories
        ],
        [{"class_wnid": below, "category_wnid": above} for below, above in labels.closure],
    )
