"""The ranges of the network's activations, which int8 needs: a file beside the weights.

They were measured on photos by ``python -m tools.calibrate``; so nobody else needs photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from tagtray.config.errors import WeightsError
from tagtray.weights import manifest


@dataclass(frozen=True, slots=True)
class RangesFile:
    """What the file holds: whose ranges, on which photos measured, and [lowest, highest] by tensor."""

    weights_sha256: manifest.Sha256
    command: str
    folders: tuple[str, ...]
    photos: int
    views: int
    norm: float
    ranges: Mapping[str, tuple[float, float]]


SCHEMA = TypeAdapter(RangesFile)


def file_name(model: manifest.ModelEntry) -> str:
    """Name of the file of a model's ranges."""
    return f"{model.name}-int8-ranges.json"


def entry(model: manifest.ModelEntry) -> manifest.FileEntry:
    """What the manifest says of the file; raises WeightsError where there is none."""
    wanted = file_name(model)
    found = next((file for file in manifest.load().files if file.name == wanted), None)
    if found is None:
        raise WeightsError(f"The model {model.name} has no {wanted}: it cannot be run in int8.")
    return found


def load(model: manifest.ModelEntry) -> Mapping[str, tuple[float, float]]:
    """[lowest, highest] of each tensor by its name in ``worker.networks.onnx_graph``; raises WeightsError."""
    file = entry(model)
    manifest.verify(file)
    try:
        found = SCHEMA.validate_json(manifest.path(file).read_bytes())
    except (OSError, ValidationError) as error:
        raise WeightsError(f"{manifest.path(file)} is damaged; install tagtray again.") from error
    if found.weights_sha256 != model.weights.sha256:
        raise WeightsError(f"{file.name} was measured with other weights; int8 needs ranges of its own.")
    return found.ranges
