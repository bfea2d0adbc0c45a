"""Homes with what an engine makes of the default model, made with the first test that needs it."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tagtray.worker.networks import onnx_variants, torchscript
from tests.models import DEFAULT

#: Programs start in half the time with ONNX Runtime's graph that they take with the trace of torch.
GRAPH, TRACE = "onnx", "torch"


@functools.cache
def home(engine: str) -> Path:
    """A TAGTRAY_HOME with the fp32 file of an engine, GRAPH or TRACE; shared, so not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="tagtray-networks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if engine == TRACE:
        torchscript.load(DEFAULT, folder)
    else:
        onnx_variants.opened(DEFAULT, onnx_variants.fitting("fp32", sums=True), folder).close()
    return folder


def copied_to(folder: Path, engine: str = GRAPH) -> None:
    """Copy the file and its record into the cache of the home ``folder``."""
    shutil.copytree(home(engine) / "cache", folder / "cache", dirs_exist_ok=True)
