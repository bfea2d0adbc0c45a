"""For developers: bring manifest and model card up to date with the files (``python -m tools.release``).

After a file of this folder changed (new weights, a corrected name), run it and commit what it writes.
Accuracy, calibration and date of new weights are entered in ``manifest.json`` by hand, before.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from tagtray.weights import FOLDER, manifest
from tools import card

CARD = "MODEL_CARD.md"

#: What ships beside the code, as in ``package-data`` of pyproject.toml.
PATTERNS = ("*.safetensors", "*.json", "*.tsv", "*.md", "NOTICE*")


def shipped(folder: Path = FOLDER) -> list[Path]:
    """The data files of the package, the manifest aside, sorted by name."""
    found = {path for pattern in PATTERNS for path in folder.glob(pattern)}
    return sorted(found - {folder / manifest.MANIFEST})


def update(folder: Path = FOLDER) -> None:
    """Write sizes and hashes into the manifest and its figures into the card.

    The weights are measured first, since the card shows their hash; the card is measured after it is written.
    """
    source = folder / manifest.MANIFEST
    content: dict[str, Any] = json.loads(source.read_bytes())
    weights = [model["weights"]["name"] for model in content["models"]]
    for model, name in zip(content["models"], weights, strict=True):
        model["weights"] = _measured(folder / name)
    _write(source, content)
    text = (folder / CARD).read_text("utf-8")
    (folder / CARD).write_text(card.renew(text, manifest.load(folder).models[0]), "utf-8")
    content["files"] = [_measured(path) for path in shipped(folder) if path.name not in weights]
    _write(source, content)


def _measured(path: Path) -> dict[str, Any]:
    return dataclasses.asdict(manifest.digest(path))


def _write(source: Path, content: dict[str, Any]) -> None:
    source.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    manifest.load.cache_clear()


if __name__ == "__main__":
    update()
