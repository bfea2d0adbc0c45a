"""For developers: ``python -m tools.reference [MODEL]`` writes the reference answers of a model that ships.

They are torch's in fp32, and lie beside the weights; ``python -m tools.release`` then takes them into the
manifest.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tagtray.weights.model import Model
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, self_test, torch_engine
from tagtray.worker.engines.classifier import BatchClassifier


def write(classifier: BatchClassifier, model: Model) -> Path:
    """Keep the answers of a classifier as the reference of a model; return the file."""
    classifier.slots[: self_test.IMAGES] = self_test.images(model.input.side)
    logits = classifier.logits(self_test.IMAGES).astype(float)
    content = self_test.Reference(
        model.weights.sha256, tuple(tuple(map(float, row)) for row in logits.round(3))
    )
    target = model.folder / f"{model.name}-reference.json"
    target.write_text(json.dumps(self_test.SCHEMA.dump_python(content)) + "\n", "utf-8")
    return target


def main(arguments: Sequence[str]) -> int:
    """Write the reference of the model of this name, or of the default one."""
    store = ModelStore()
    model = store.model(arguments[0]) if arguments else store.default
    with tempfile.TemporaryDirectory() as home:
        # Without the former answers, which are what is to be replaced.
        bare = replace(model, reference=None)
        made = torch_engine.load(bare, Path(home), rollup.load(bare), self_test.IMAGES)
        print(write(made, model))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
