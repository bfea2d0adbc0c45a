"""The forms that the ONNX file of the network comes in, and their names in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tagtray.weights import manifest
from tagtray.worker.networks import activation_ranges, cache

#: Number of the graph that ``worker.networks.onnx_graph`` builds; to be raised with every change to it.
GRAPH = 3


@dataclass(frozen=True)
class Form:
    """What a file computes in (fp32, int8), the same on every processor.

    ``sums``: what int8 convolutions hand to a block's sum is rounded to uint8. ONNX Runtime has no int8
    convolution without it; OpenVINO has.
    """

    precision: str
    sums: bool = False

    def __str__(self) -> str:
        return f"{self.precision}-sums" if self.sums else self.precision


def parse(text: str) -> Form:
    """The form of this name."""
    precision, _, flag = text.partition("-")
    return Form(precision, flag == "sums")


def fitting(precision: str, *, sums: bool) -> Form:
    """The form for a precision of an engine; ``sums`` where the engine needs it."""
    return Form("int8", sums) if precision == "int8" else Form("fp32")


def opened(model: manifest.ModelEntry, form: Form, home: Path) -> BinaryIO:
    """Open the ONNX file of a model in the cache of ``home``; made where it is missing.

    Raises WeightsError, InfrastructureError.
    """
    manifest.verify(model)
    part = f"{form}-{activation_ranges.entry(model).sha256[:8]}" if form.precision == "int8" else str(form)
    name = f"{model.name}-{model.weights.sha256[:12]}-{part}-g{GRAPH}.onnx"
    return cache.opened(home, name, ["tagtray.worker.networks.onnx_graph", model.name, str(form)])
