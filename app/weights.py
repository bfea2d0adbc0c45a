"""The models that a user names: the one that a command means, and those that are added."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tagtray.app import bootstrap
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.db import current_model
from tagtray.db.current_model import CurrentModel
from tagtray.weights import user_models
from tagtray.weights.architectures import OFFICIAL
from tagtray.weights.labels import LabelSet
from tagtray.weights.model import InputSpec, Model
from tagtray.weights.store import ModelStore
from tagtray.worker.networks import foreign

if TYPE_CHECKING:
    from tagtray.worker.networks.official import Official


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


def fetch(settings: Settings, architecture: str) -> Model:
    """Fetch torchvision's weights of an architecture and add them as a model.

    Raises UsageError where torchvision has none or they are here, InfrastructureError with what to do instead
    where they cannot be had.
    """
    if architecture not in OFFICIAL:
        raise UsageError(f"torchvision has no weights of {architecture!r}; it has {', '.join(OFFICIAL)}.")
    name = f"torchvision-{architecture}"
    user_models.refuse_taken(settings.home, name)
    # Here, not above: PyTorch takes seconds, and only adding a model needs it.
    from tagtray.worker.networks import official

    found = official.of(architecture)
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = official.fetch(found, Path(folder))
        except InfrastructureError as error:
            raise InfrastructureError(f"{error}; {_instead(found, name)}") from error
        return add(settings, file, name, found.spec, architecture)


def _instead(found: Official, name: str) -> str:
    """How to bring a file that cannot be fetched."""
    usual = ModelStore().default.input
    more = f" --resize {found.spec.resize}" if found.spec.resize != usual.resize else ""
    return (
        f"bring {found.file} (its SHA-256 begins with {found.digits}) and say: "
        f"tagtray weights add {found.file} --name {name}{more}"
    )


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
