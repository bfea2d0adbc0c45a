"""Which engine runs the network, and in which precision: what was asked for, or the best that is here.

Engines are modules with one function ``load``; those of optional extras are imported only when chosen.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from tagtray.config import machine
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.weights.model import Model
from tagtray.worker.engines import cpu_features

if TYPE_CHECKING:
    from tagtray.worker.engines.classifier import BatchClassifier
    from tagtray.worker.engines.rollup import RollUp

log = logging.getLogger(__name__)

#: Engines by what they compute in, the fastest first. Images/s of one core, openvino, onnx, torch: in fp32
#: 31, 30, 30 with AVX-512 and 13, 20, 18 with AVX2; in bf16 61, -, 56; in int8 33, 31, - with AVX2.
FASTEST = {"fp32": ("onnx", "torch", "openvino"), "bf16": ("openvino", "torch"), "int8": ("openvino", "onnx")}
#: The module that each engine's extra installs, beside those that make its network.
_LIBRARIES = {"openvino": ("openvino", "onnx"), "onnx": ("onnxruntime", "onnx"), "torch": ("torch",)}


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and what it computes in; ``fallback`` where the user left the precision open."""

    engine: str
    precision: str
    fallback: bool = False


def installed() -> list[str]:
    """The engines whose libraries are here."""
    return [name for name in _LIBRARIES if _is_installed(name)]


def choose(settings: Settings) -> Choice:
    """Engine and precision for these settings on this machine.

    ``auto`` is bf16 where the processor has it, else fp32, on the fastest engine that has that. Raises
    UsageError with what to install or to set instead.
    """
    try:
        return _chosen(settings)
    except UsageError as error:
        raise UsageError(f"{error}{_whence(settings)}") from None


def available() -> list[Choice]:
    """Every engine that is installed, in every precision that it has on this processor."""
    return [
        Choice(engine, precision)
        for engine in installed()
        for precision in precisions(engine)
        if precision != "bf16" or cpu_features.has_bf16()
    ]


def precisions(engine: str) -> list[str]:
    """What an engine computes in."""
    return [precision for precision, engines in FASTEST.items() if engine in engines]


def _chosen(settings: Settings) -> Choice:
    _refuse(settings)
    engines = installed() if settings.engine == "auto" else [settings.engine]
    for precision in _wanted(settings):
        for engine in FASTEST.get(precision, ()):
            if engine in engines:
                return Choice(engine, precision, settings.precision == "auto" and precision != "fp32")
    if settings.engine == "auto":
        raise UsageError(
            f"The precision {settings.precision} needs an engine that is an extra: "
            "pip install 'tagtray[openvino]' or 'tagtray[onnx]'."
        )
    known = " and ".join(precisions(settings.engine))
    raise UsageError(
        f"The engine {settings.engine} does not compute in {settings.precision}; it does in {known}."
    )


def preload(choice: Choice) -> None:
    """Import the chosen engine where processes are forked later, if it takes long and is safe.

    PyTorch takes over a second. ONNX Runtime and OpenVINO take a tenth, and start threads: no fork has those.
    """
    if choice.engine == "torch":
        _module(choice.engine)


def load(
    choice: Choice, model: Model, home: Path, roll_up: RollUp, batch_size: int, threads: int
) -> BatchClassifier:
    """Make the chosen engine's classifier and run it once; ``home`` keeps the network's files.

    An engine whose answers are not those of the weights is not used: InfrastructureError, or fp32 where the
    user left the precision open. Raises WeightsError where a file is damaged.
    """
    # Imported here: those who only choose need no numpy.
    from tagtray.worker.engines import self_test

    made = cast(
        "BatchClassifier",
        _module(choice.engine).load(model, home, roll_up, batch_size, threads, choice.precision),
    )
    try:
        self_test.check(made, model)
    except InfrastructureError as error:
        if not choice.fallback:
            raise
        log.warning("precision_lowered: %s fp32 is used instead.", error)
        return load(Choice(choice.engine, "fp32"), model, home, roll_up, batch_size, threads)
    return made


def _module(engine: str) -> ModuleType:
    return importlib.import_module(f"tagtray.worker.engines.{engine}_engine")


def _wanted(settings: Settings) -> list[str]:
    if settings.precision != "auto":
        return [settings.precision]
    return ["bf16", "fp32"] if cpu_features.has_bf16() else ["fp32"]


def _whence(settings: Settings) -> str:
    """Name the machine's file where it asks for what cannot be had, or for a part of it."""
    kept = machine.read(settings.home)
    at_fault = ("engine", "precision") if settings.engine in ("auto", *installed()) else ("engine",)
    asked = [name for name in at_fault if kept.get(name) == getattr(settings, name)]
    return f" {machine.path(settings.home)} sets the {' and the '.join(asked)}." if asked else ""


def _refuse(settings: Settings) -> None:
    """Say what cannot be had here at all."""
    engine, precision = settings.engine, settings.precision
    if engine != "auto" and not _is_installed(engine):
        raise UsageError(f"The engine {engine} needs the extra: pip install 'tagtray[{engine}]'.")
    if precision == "fp16":
        raise UsageError("The precision fp16 is for GPUs; a CPU computes in fp32, bf16 or int8.")
    if precision == "bf16" and not cpu_features.has_bf16():
        raise UsageError("This processor has no bf16 of its own; choose fp32 or int8.")


def _is_installed(engine: str) -> bool:
    return all(importlib.util.find_spec(library) for library in _LIBRARIES[engine])
