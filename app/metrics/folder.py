"""Where workers keep what they count, for the process that shows it: files of prometheus_client."""

from __future__ import annotations

import glob
import os
import shutil
import socket
from pathlib import Path

from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.config.text import shown

#: By this variable prometheus_client knows, when it is imported, that several processes count together.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: How the folders in TAGTRAY_HOME/run are called, before the number of the process that shows them. A home
#: that hosts or containers share has folders of all.
PREFIX = f"metrics-{socket.gethostname()}-"


def prepare(settings: Settings) -> None:
    """Where metrics are wanted, make this process's folder, before anything imports prometheus_client.

    What processes that are no more have left goes. Raises InfrastructureError.
    """
    if settings.metrics_port is None:
        return
    run = settings.home / "run"
    try:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in run.glob(f"{glob.escape(PREFIX)}*"):
            if not Path("/proc", left.name.removeprefix(PREFIX)).exists():
                shutil.rmtree(left, ignore_errors=True)
        own = run / f"{PREFIX}{os.getpid()}"
        own.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        home = shown(settings.home)
        raise InfrastructureError(f"{home} cannot be written to: {error.strerror}.") from None
    os.environ[VARIABLE] = str(own)


def remove() -> None:
    """Remove this process's folder, if it has one."""
    if own := os.environ.pop(VARIABLE, None):
        shutil.rmtree(own, ignore_errors=True)
