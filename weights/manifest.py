"""What a folder of models holds: ``manifest.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tagtray.config.errors import WeightsError
from tagtray.weights import files
from tagtray.weights.files import FileEntry
from tagtray.weights.model import Description, Name

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """The files of a label set; ``categories`` None: no class lies below a category."""

    name: Name
    labels: FileEntry
    categories: FileEntry | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The models and the label sets of a folder, and what else lies there."""

    models: tuple[Description, ...]
    label_sets: tuple[LabelFiles, ...] = ()
    files: tuple[FileEntry, ...] = ()

    def every_file(self) -> tuple[FileEntry, ...]:
        """All files that lie here, those of the models first."""
        theirs = (file for model in self.models for file in model.files)
        elsewhere = {model.weights for model in self.models if model.package}
        tables = (file for found in self.label_sets for file in (found.labels, found.categories) if file)
        return (*(file for file in theirs if file not in elsewhere), *tables, *self.files)


SCHEMA = TypeAdapter(Manifest)


def load(folder: Path) -> Manifest:
    """Read the manifest of ``folder``; raises WeightsError where it is missing or not a manifest."""
    source = folder / MANIFEST
    try:
        return SCHEMA.validate_json(source.read_bytes())
    except OSError as error:
        raise files.unreadable(source, error) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "not JSON"
        raise WeightsError(f"{source} is damaged ({where}: {first['msg']}).") from error
