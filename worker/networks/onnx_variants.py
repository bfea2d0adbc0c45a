"""The forms that the ONNX file of the network comes in, and their names in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tagtray.weights.model import Model
from tagtray.worker.networks import activation_ranges, cache


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


def opened(model: Model, form: Form, home: Path) -> BinaryIO:
    """Open the ONNX file of a model in the cache of ``home``; made where it is missing.

    Raises WeightsError, InfrastructureError.
    """
    model.verify()
    return cache.opened(path(model, form, home), model, "tagtray.worker.networks.onnx_graph", str(form))


def path(model: Model, form: Form, home: Path) -> Path:
    """Where the ONNX file of a model lies; raises WeightsError where int8 has no ranges."""
    measured = f"-{activation_ranges.entry(model).sha256[:8]}" if form.precision == "int8" else ""
    return cache.path(home, model, f"{form}{measured}", ".onnx")
