"""The models that a user names: the one that a command means, and those that are added."""

from __future__ import annotations

from pathlib import Path

from tagtray.app import bootstrap
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db import current_model
from tagtray.db.current_model import CurrentModel
from tagtray.weights import user_models
from tagtray.weights.labels import LabelSet
from tagtray.weights.model import InputSpec, Model
from tagtray.weights.store import ModelStore
from tagtray.worker.networks import foreign


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
    settings: Settings,
    file: Path,
    name: str,
    spec: InputSpec,
    architecture: str | None = None,
    labels: Path | None = None,
) -> Model:
    """Copy weights into the user's models; without ``labels`` the classes are those of the default model.

    Raises UsageError where something does not fit, WeightsError with a sentence that names the key.
    """
    weights = foreign.read(file, architecture)
    named = _names(labels) if labels else ModelStore().default.labels
    count = len(named.labels) if isinstance(named, LabelSet) else len(named)
    if count != weights.classes:
        raise UsageError(
            f"{file} has {weights.classes:,} classes and {labels or 'the default label set'} {count:,}: "
            "--labels takes a text file with the name of every class, one a line."
        )
    return user_models.add(settings.home, name, weights.architecture, weights.content, spec, named)


def _names(source: Path) -> list[str]:
    """The names of classes in a text file, one a line."""
    try:
        lines = source.read_text("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is no text in UTF-8.") from error
    names = [" ".join(line.split()) for line in lines]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise UsageError(f"Line {names.index('') + 1} of {source} names no class.")
    return names
