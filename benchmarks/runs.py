"""Whole processes, timed from outside: tagtray on a fresh ledger, and the peer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tagtray.app import end_to_end
from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db.access import engine


def tagtray(folder: Path, warm: Path, settings: Mapping[str, str]) -> end_to_end.Timed:
    """``tagtray run`` on a new home; ``warm`` is a home whose cache holds the network already."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        home = Path(scratch) / "home"
        home.mkdir(mode=0o700)
        shutil.copytree(warm / "cache", home / "cache")
        began = time.time()
        command = subprocesses.command("tagtray", "run", str(folder))
        seconds = _timed(command, {"TAGTRAY_HOME": str(home), **settings})
        database = engine.connect(configuration.load(home=home))
        try:
            return end_to_end.timed(database, seconds, began)
        finally:
            database.dispose()


def peer(folder: Path) -> float:
    """Seconds of the peer's script, whole."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        return _timed([sys.executable, "-m", "benchmarks.peer", str(folder), f"{scratch}/peer.db"], {})


def _timed(command: list[str], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        command,
        env=os.environ | environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began
