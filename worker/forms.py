"""The forms that the ONNX file of the network comes in, and their names in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weights import manifest
from worker import cache, processor, ranges

#: Number of the graph that ``worker.graph`` builds; to be raised with every change to it.
GRAPH = 2
_FLAGS = ("sums", "pairs")


@dataclass(frozen=True)
class Form:
    """What a file computes in (fp32, int8), and how it is quantised.

    ``sums``: what int8 convolutions hand to a block's sum is rounded to uint8. ONNX Runtime has no int8
    convolution without it; OpenVINO has.
    ``pairs``: weights small enough for processors that add two products in 16 bits (AVX2 and AVX-512 without
    VNNI). Others need not.
    """

    precision: str
    sums: bool = False
    pairs: bool = False

    def __str__(self) -> str:
        return "-".join([self.precision, *(flag for flag in _FLAGS if getattr(self, flag))])


def parse(text: str) -> Form:
    """The form of this name."""
    precision, *flags = text.split("-")
    return Form(precision, **dict.fromkeys(flags, True))


def fitting(precision: str, *, sums: bool) -> Form:
    """The form for this processor; ``sums`` where the engine needs it."""
    int8 = precision == "int8"
    return Form("int8" if int8 else "fp32", int8 and sums, int8 and not processor.has_vnni())


def opened(model: manifest.ModelEntry, form: Form, home: Path) -> BinaryIO:
    """Open the ONNX file of a model in the cache of ``home``; made where it is missing.

    Raises WeightsError, InfrastructureError.
    """
    manifest.verify(model)
    part = f"{form}-{ranges.entry(model).sha256[:8]}" if form.precision == "int8" else str(form)
    name = f"{model.name}-{model.weights.sha256[:12]}-{part}-g{GRAPH}.onnx"
    return cache.opened(home, name, ["worker.graph", model.name, str(form)])
