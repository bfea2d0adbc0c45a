"""Which engine runs the network, and in which precision.

The command lists what to try, by the settings and by what is installed. A worker, which has the libraries
loaded, asks them what the processor can, and takes the first that works.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from tagtray.config import logs, machine
from tagtray.config.errors import EngineError, TagtrayError, UsageError, WeightsError
from tagtray.config.settings import Settings
from tagtray.weights.model import Model

if TYPE_CHECKING:
    from tagtray.worker.engines.classifier import BatchClassifier
    from tagtray.worker.engines.rollup import RollUp

log = logging.getLogger(__name__)

#: Engines by what they compute in, the fastest first. Images/s of one core, openvino, onnx, torch: in fp32
#: 48, 49, 44 and 31, 30, 30 with AVX-512, 13, 20, 18 with AVX2; in bf16 61, -, 56 with AVX-512 and
#: 252, -, 149 with AMX; in int8 366, 84, - with AMX and 33, 31, - with AVX2.
FASTEST = {"fp32": ("onnx", "torch", "openvino"), "bf16": ("openvino", "torch"), "int8": ("openvino", "onnx")}
#: The module that each engine's extra installs, beside those that make its network.
_LIBRARIES = {"openvino": ("openvino", "onnx"), "onnx": ("onnxruntime", "onnx"), "torch": ("torch",)}
#: Characters of a library's error message that are shown.
_SHOWN = 200


class _NoBf16(EngineError):
    """Nothing to report where bf16 was only hoped for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and what it computes in."""

    engine: str
    precision: str

    def __str__(self) -> str:
        return f"{self.engine} in {self.precision}"


def installed() -> list[str]:
    """The engines whose libraries are here."""
    return [name for name in _LIBRARIES if _is_installed(name)]


def choices(settings: Settings) -> list[Choice]:
    """What to try for these settings, the best first; more than one where they leave something open.

    The precision ``auto`` is bf16 on its fastest engine, then fp32 on any. Nothing is loaded, so whether this
    processor has bf16 shows in ``load_best``. Raises UsageError with what to install or to set instead.
    """
    try:
        return _choices(settings)
    except UsageError as error:
        raise UsageError(f"{error}{_whence(settings)}") from None


def available() -> list[Choice]:
    """Every engine that is installed, in every precision that it has on some processor."""
    return [Choice(engine, precision) for engine in installed() for precision in precisions(engine)]


def precisions(engine: str) -> list[str]:
    """What an engine computes in."""
    return [precision for precision, engines in FASTEST.items() if engine in engines]


def preload(wanted: Sequence[Choice]) -> None:
    """Import the first engine where processes are forked later, if it takes long and is safe.

    PyTorch takes over a second. ONNX Runtime and OpenVINO take a tenth, and start threads: no fork has those.
    """
    if wanted[0].engine == "torch":
        try:
            _module("torch")
        except Exception as error:  # what it is, the worker tells when it loads the engine
            logs.event(log, logging.INFO, "torch_not_preloaded", "{error}", error=error)


def load_best(settings: Settings, model: Model, roll_up: RollUp, threads: int) -> BatchClassifier:
    """Load the first of ``choices`` that works here; its ``passed_over`` says why better ones do not.

    Raises EngineError or WeightsError where none does.
    """
    passed_over: list[str] = []
    *_, last = wanted = choices(settings)
    for choice in wanted:
        try:
            made = load(choice, model, settings.home, roll_up, settings.batch_size, threads)
            break
        except (EngineError, WeightsError) as error:
            if choice == last:
                raise type(error)(f"{error}{_whence(settings)}") from error
            if not isinstance(error, _NoBf16):
                sentence = "{error} Another one is tried."
                logs.event(log, logging.WARNING, "engine_passed_over", sentence, error=error)
                passed_over.append(str(error))
    made.passed_over = tuple(passed_over)
    return made


def load(
    choice: Choice, model: Model, home: Path, roll_up: RollUp, batch_size: int, threads: int
) -> BatchClassifier:
    """Load an engine and compare its answers with those of the weights; ``home`` keeps the network's files.

    Raises EngineError where it does not load or is wrong here, WeightsError where its network cannot be made.
    """
    # Imported here: those who only choose need no numpy.
    from tagtray.worker.engines import self_test

    try:
        if not is_native(choice):
            raise _NoBf16("This processor has no bf16 of its own.")
        engine = _module(choice.engine)
        made = engine.load(model, home, roll_up, batch_size, threads, choice.precision)
        self_test.check(made, model)
    except TagtrayError:
        raise
    except Exception as error:  # a library raises what it likes where it cannot compile for a processor
        raise EngineError(f"The engine {choice} cannot be loaded ({_first_line(error)}).") from error
    return cast("BatchClassifier", made)


def is_native(choice: Choice) -> bool:
    """Whether this processor has instructions for the precision, as the engine's library says; imports it."""
    return choice.precision != "bf16" or bool(_module(choice.engine).has_bf16())


def _module(engine: str) -> ModuleType:
    return importlib.import_module(f"tagtray.worker.engines.{engine}_engine")


def _first_line(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".strip()
    return text.splitlines()[0][:_SHOWN]


def _choices(settings: Settings) -> list[Choice]:
    _refuse(settings)
    engines = installed() if settings.engine == "auto" else [settings.engine]
    if settings.precision == "auto":
        return _ranked("bf16", engines)[:1] + _ranked("fp32", engines)
    if found := _ranked(settings.precision, engines):
        return found
    if settings.engine == "auto":
        raise UsageError(
            f"The precision {settings.precision} needs an engine that is an extra: "
            "pip install 'tagtray[openvino]' or 'tagtray[onnx]'."
        )
    known = " and ".join(precisions(settings.engine))
    raise UsageError(
        f"The engine {settings.engine} does not compute in {settings.precision}; it does in {known}."
    )


def _ranked(precision: str, engines: Sequence[str]) -> list[Choice]:
    return [Choice(engine, precision) for engine in FASTEST.get(precision, ()) if engine in engines]


def _whence(settings: Settings) -> str:
    """Name the machine's file where it asks for what cannot be had, or for a part of it."""
    kept = machine.read(settings.home)
    at_fault = ("engine", "precision") if settings.engine in ("auto", *installed()) else ("engine",)
    asked = [name for name in at_fault if kept.get(name) == getattr(settings, name)]
    return f" {machine.path(settings.home)} sets the {' and the '.join(asked)}." if asked else ""


def _refuse(settings: Settings) -> None:
    """Say what cannot be had here at all."""
    if settings.engine != "auto" and not _is_installed(settings.engine):
        raise UsageError(
            f"The engine {settings.engine} needs the extra: pip install 'tagtray[{settings.engine}]'."
        )
    if settings.precision == "fp16":
        raise UsageError("The precision fp16 is for GPUs; a CPU computes in fp32, bf16 or int8.")


def _is_installed(engine: str) -> bool:
    return all(importlib.util.find_spec(library) for library in _LIBRARIES[engine])
