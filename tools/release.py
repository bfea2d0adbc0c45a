"""For developers: bring manifest and model card up to date with the files (``python -m tools.release``).

After a file of this folder changed (new weights, a corrected name), run it and commit what it writes.
Accuracy, calibration and date of new weights are entered in ``manifest.json`` by hand, before.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from tagtray.weights import FOLDER, files, manifest
from tools import card

CARD = "MODEL_CARD.md"
#: Keys of the files of a model and of a label set, in the manifest.
MODEL_FILES = ("weights", "ranges", "reference")
LABEL_FILES = ("labels", "categories")

#: What ships beside the code, as in ``package-data`` of pyproject.toml.
PATTERNS = ("*.safetensors", "*.json", "*.tsv", "*.md", "NOTICE*")


def shipped(folder: Path = FOLDER) -> list[Path]:
    """The data files of the package, the manifest aside, sorted by name."""
    found = {path for pattern in PATTERNS for path in folder.glob(pattern)}
    return sorted(found - {folder / manifest.MANIFEST})


def update(folder: Path = FOLDER) -> None:
    """Write sizes and hashes into the manifest and its figures into the card.

    The models are measured first, since the card shows their hashes; the card is measured once it is written.
    """
    source = folder / manifest.MANIFEST
    content: dict[str, Any] = json.loads(source.read_bytes())
    taken = [_measure(entry, key, folder) for entry in content["models"] for key in MODEL_FILES]
    taken += [_measure(entry, key, folder) for entry in content["label_sets"] for key in LABEL_FILES]
    _write(source, content)
    shown = [model for model in manifest.load(folder).models if model.package is None]
    text = (folder / CARD).read_text("utf-8")
    (folder / CARD).write_text(card.renew(text, shown), "utf-8")
    content["files"] = [_measured(path) for path in shipped(folder) if path.name not in taken]
    _write(source, content)


def _measure(entry: dict[str, Any], key: str, folder: Path) -> str | None:
    """Renew what an entry says of one of its files; return the file's name."""
    if entry[key] is None or (key == "weights" and entry.get("package")):
        return None
    name: str = entry[key]["name"]
    entry[key] = _measured(folder / name)
    return name


def _measured(path: Path) -> dict[str, Any]:
    return dataclasses.asdict(files.digest(path))


def _write(source: Path, content: dict[str, Any]) -> None:
    source.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    update()
