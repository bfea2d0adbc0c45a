"""Whether an engine computes what the weights say, on this machine: its answers to made-up pictures.

A kernel that is wrong for a processor (int8 sums that overflow, a miscompiled bf16) otherwise shows as bad
labels only. The reference answers ship beside the weights; ``python -m
tagtray.worker.engines.self_test`` makes them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from tagtray.config.errors import InfrastructureError, WeightsError
from tagtray.weights import manifest
from tagtray.worker.engines import rollup
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.networks.input_spec import IMAGE_SIDE

#: Pictures, and squares of one colour along each of their sides.
PICTURES, SQUARES = 2, 7
#: Largest root mean square of the differences of a picture's logits, by precision: over three times what
#: was measured (0.0003 by rounding to three decimals; 0.008; 0.027).
TOLERANCES = {"fp32": 0.002, "bf16": 0.05, "int8": 0.1}


@dataclass(frozen=True, slots=True)
class Reference:
    """What the file holds: logits (PICTURES, 1000) of ``pictures`` in fp32, with three decimals."""

    weights_sha256: manifest.Sha256
    logits: tuple[tuple[float, ...], ...]


_SCHEMA = TypeAdapter(Reference)


def pictures() -> NDArray[np.uint8]:
    """(PICTURES, 224, 224, 3) uint8: squares of colours, the same everywhere."""
    colours = np.random.default_rng(18).integers(0, 256, (PICTURES, SQUARES, SQUARES, 3), dtype=np.uint8)
    side = IMAGE_SIDE // SQUARES
    return colours.repeat(side, axis=1).repeat(side, axis=2)


def check(classifier: BatchClassifier, model: manifest.ModelEntry) -> None:
    """Run the network once; raises InfrastructureError where its answers are not those of the weights.

    Models without a reference are run all the same, so that the first batch pays for nothing.
    """
    count = min(PICTURES, classifier.batch_size)
    classifier.slots[:count] = pictures()[:count]
    logits = classifier.logits(count)
    expected = _load(model)
    if expected is None:
        return
    difference = float(np.sqrt(((logits - expected[:count]) ** 2).mean(axis=1)).max())
    # So written that "not a number" is refused too.
    if not difference <= TOLERANCES[classifier.precision]:
        raise InfrastructureError(
            f"The engine {classifier.engine} in {classifier.precision} is wrong on this processor "
            f"(its answers are off by {difference:.2g}); choose another engine or precision."
        )


def write(classifier: BatchClassifier, model: manifest.ModelEntry) -> Path:
    """Keep the answers of a classifier as the reference of a model; return the file."""
    classifier.slots[:PICTURES] = pictures()
    logits = classifier.logits(PICTURES).astype(float)
    content = Reference(model.weights.sha256, tuple(tuple(map(float, row)) for row in logits.round(3)))
    target = manifest.path(model).parent / _file_name(model)
    target.write_text(json.dumps(_SCHEMA.dump_python(content)) + "\n", "utf-8")
    return target


def _load(model: manifest.ModelEntry) -> NDArray[np.float64] | None:
    """The reference of a model, (PICTURES, 1000); None where there is none. Raises WeightsError."""
    file = next((file for file in manifest.load().files if file.name == _file_name(model)), None)
    if file is None:
        return None
    manifest.verify(file)
    try:
        found = _SCHEMA.validate_json(manifest.path(file).read_bytes())
    except (OSError, ValidationError) as error:
        raise WeightsError(f"{manifest.path(file)} is damaged; install tagtray again.") from error
    if found.weights_sha256 != model.weights.sha256:
        raise WeightsError(
            f"{file.name} is of other weights; run python -m tagtray.worker.engines.self_test."
        )
    return np.array(found.logits)


def _file_name(model: manifest.ModelEntry) -> str:
    return f"{model.name}-reference.json"


def main() -> int:
    """For developers: write the reference of the default model from torch in fp32."""
    from tagtray.worker.engines import torch_engine

    model = manifest.model("resnet18")
    with tempfile.TemporaryDirectory() as home:
        made = torch_engine.load(model, Path(home), rollup.load(), PICTURES)
        print(write(made, model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
