"""One home with the trace of the default model, made with the first test that needs it."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tagtray.worker.networks import torchscript
from tests.models import DEFAULT


@functools.cache
def home() -> Path:
    """A TAGTRAY_HOME that holds the trace; shared, so not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="tagtray-traces-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    torchscript.load(DEFAULT, folder)
    return folder


def copied_to(folder: Path) -> Path:
    """Copy the trace and its record into the home ``folder``; return where the trace lies."""
    shutil.copytree(home() / "cache", folder / "cache", dirs_exist_ok=True)
    return torchscript.path(DEFAULT, folder)
