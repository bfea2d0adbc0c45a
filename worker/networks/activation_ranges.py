"""The ranges of the network's activations, which int8 needs: a file beside the weights.

They were measured on photos by ``python -m tools.calibrate``; so nobody else needs photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from tagtray.config.errors import WeightsError
from tagtray.weights.files import FileEntry, Sha256
from tagtray.weights.model import Model


@dataclass(frozen=True, slots=True)
class RangesFile:
    """What the file holds: whose ranges, on which photos measured, and [lowest, highest] by tensor."""

    weights_sha256: Sha256
    command: str
    folders: tuple[str, ...]
    photos: int
    views: int
    norm: float
    ranges: Mapping[str, tuple[float, float]]


SCHEMA = TypeAdapter(RangesFile)


def entry(model: Model) -> FileEntry:
    """The file of a model's ranges; raises WeightsError where it has none."""
    if model.ranges is None:
        raise WeightsError(f"The model {model.name!r} has no ranges of its activations, which int8 needs.")
    return model.ranges


def load(model: Model) -> Mapping[str, tuple[float, float]]:
    """[lowest, highest] of each tensor by its name in ``worker.networks.onnx_graph``; raises WeightsError."""
    file = entry(model)
    try:
        found = SCHEMA.validate_json(model.read(file))
    except ValidationError as error:
        raise WeightsError(f"{model.path(file)} is damaged: it holds no ranges.") from error
    if found.weights_sha256 != model.weights.sha256:
        raise WeightsError(
            f"{model.path(file)} was measured with other weights; int8 needs ranges of its own."
        )
    return found.ranges
