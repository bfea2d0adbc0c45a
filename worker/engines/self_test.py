"""Whether an engine computes what the weights say, on this machine: its answers to made-up images.

A kernel that is wrong for a processor (int8 sums that overflow, a miscompiled bf16) otherwise shows as bad
labels only. The reference answers lie beside the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from tagtray.config.errors import EngineError, WeightsError
from tagtray.weights.files import Sha256
from tagtray.weights.model import Model
from tagtray.worker.engines.classifier import BatchClassifier

#: Images, and squares of one colour along each of their sides.
IMAGES, SQUARES = 2, 7
#: Largest root mean square of the differences of an image's logits, by precision: over three times what
#: was measured (0.0003 by rounding to three decimals; 0.008; 0.027).
TOLERANCES = {"fp32": 0.002, "bf16": 0.05, "int8": 0.1}


@dataclass(frozen=True, slots=True)
class Reference:
    """What the file holds: logits (IMAGES, classes) of ``images`` in fp32, with three decimals."""

    weights_sha256: Sha256
    logits: tuple[tuple[float, ...], ...]


SCHEMA = TypeAdapter(Reference)


def images(side: int) -> NDArray[np.uint8]:
    """(IMAGES, side, side, 3) uint8: squares of colours, the same everywhere."""
    colours = np.random.default_rng(18).integers(0, 256, (IMAGES, SQUARES, SQUARES, 3), dtype=np.uint8)
    square = np.arange(side) * SQUARES // side
    return colours[:, square][:, :, square]


def check(classifier: BatchClassifier, model: Model) -> None:
    """Run the network once; raises EngineError where its answers are not those of the weights.

    Models without a reference are run all the same, so that the first batch pays for nothing.
    """
    count = min(IMAGES, classifier.batch_size)
    classifier.slots[:count] = images(model.input.side)[:count]
    logits = classifier.logits(count)
    expected = _load(model)
    if expected is None:
        return
    difference = float(np.sqrt(((logits - expected[:count]) ** 2).mean(axis=1)).max())
    # So written that "not a number" is refused too.
    if not difference <= TOLERANCES[classifier.precision]:
        raise EngineError(
            f"The engine {classifier.engine} in {classifier.precision} is wrong on this processor "
            f"(its answers are off by {difference:.2g})."
        )


def _load(model: Model) -> NDArray[np.float64] | None:
    """The reference of a model, (IMAGES, classes); None where there is none. Raises WeightsError."""
    file = model.reference
    if file is None:
        return None
    try:
        found = SCHEMA.validate_json(model.read(file))
    except ValidationError as error:
        raise WeightsError(f"{model.path(file)} is damaged: it holds no reference answers.") from error
    if found.weights_sha256 != model.weights.sha256:
        raise WeightsError(f"{model.path(file)} is of other weights.")
    return np.array(found.logits)
