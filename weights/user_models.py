"""The user's own models: ``TAGTRAY_HOME/models`` has a folder for each, made at once or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.weights import files, manifest
from tagtray.weights.labels import LabelSet, table
from tagtray.weights.manifest import LabelFiles, Manifest
from tagtray.weights.model import Description, InputSpec, Model
from tagtray.weights.store import ModelStore, user_folder

#: Names of the files in a model's folder.
WEIGHTS, LABELS = "weights.safetensors", "labels.tsv"


def add(
    home: Path,
    name: str,
    architecture: str,
    weights: bytes,
    spec: InputSpec,
    labels: Sequence[str] | LabelSet,
) -> Model:
    """Keep weights (a safetensors file) with what belongs to them as the model ``name``.

    ``labels`` are the names of the classes, or a label set that is here already. Raises UsageError where the
    name is taken or a value is not accepted, InfrastructureError where the folder cannot be written.
    """
    refuse_taken(home, name)
    try:
        user_folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=user_folder(home), prefix="."))
        try:
            _write(draft, name, architecture, weights, spec, labels)
            os.rename(draft, user_folder(home) / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise InfrastructureError(f"{user_folder(home)} cannot be written to: {error.strerror}.") from error
    return ModelStore.of(home).model(name)


def refuse_taken(home: Path, name: str) -> None:
    """Raise UsageError where there is a model of this name, be it one whose weights are not here."""
    if name in ModelStore.of(home).names():
        raise UsageError(f"There is a model {name!r} already; choose another name.")


def _write(
    folder: Path,
    name: str,
    architecture: str,
    weights: bytes,
    spec: InputSpec,
    labels: Sequence[str] | LabelSet,
) -> None:
    (folder / WEIGHTS).write_bytes(weights)
    label_sets: list[LabelFiles] = []
    if not isinstance(labels, LabelSet):
        label_sets.append(_label_files(folder, name, labels))
    description = Description(
        name=name,
        architecture=architecture,
        weights=files.digest(folder / WEIGHTS),
        label_set=labels.name if isinstance(labels, LabelSet) else label_sets[0].name,
        input=spec,
        thresholds=ModelStore().default.thresholds,
    )
    content = manifest.SCHEMA.dump_json(Manifest((description,), tuple(label_sets)), indent=2)
    try:
        manifest.SCHEMA.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{first['loc'][-1]}={first['input']!r} is not accepted: {first['msg']}.") from error
    (folder / manifest.MANIFEST).write_bytes(content)


def _label_files(folder: Path, name: str, names: Sequence[str]) -> LabelFiles:
    """Write the names; a set is called after its content, so that no other one ever takes its rows."""
    content = table(names).encode()
    (folder / LABELS).write_bytes(content)
    called = f"{name}-{hashlib.sha256(content).hexdigest()[:8]}"
    return LabelFiles(called, files.digest(folder / LABELS))
