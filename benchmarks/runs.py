"""Whole processes, timed from outside: tagtray on a fresh ledger, and the peer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from config import settings as configuration
from db import engine
from db.models import Classification


@dataclass(frozen=True)
class Timed:
    """A whole process: seconds of wall clock, and images per second between first and last result."""

    seconds: float
    steady: float | None = None
    first_result: float | None = None


def tagtray(folder: Path, warm: Path, settings: Mapping[str, str]) -> Timed:
    """``tagtray run`` on a new home; ``warm`` is a home whose cache holds the network already."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        home = Path(scratch) / "home"
        home.mkdir(mode=0o700)
        if (warm / "cache").exists():
            shutil.copytree(warm / "cache", home / "cache")
        began = time.time()
        seconds = _timed(["-P", "-m", "cli.app", "run", str(folder)], {"TAGTRAY_HOME": str(home), **settings})
        if not (warm / "cache").exists():
            shutil.copytree(home / "cache", warm / "cache")
        return _read(home, seconds, began)


def peer(folder: Path) -> Timed:
    """The peer's script, whole."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        return Timed(_timed(["-m", "benchmarks.peer", str(folder), f"{scratch}/peer.db"], {}))


def _timed(arguments: list[str], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def _read(home: Path, seconds: float, began: float) -> Timed:
    """Steady state from the ledger: what came after the first commit, over the time that it took."""
    moments = select(Classification.classified_at, func.count()).group_by(Classification.classified_at)
    with engine.connect(configuration.load(home=home)).connect() as connection:
        rows = connection.execute(moments.order_by(Classification.classified_at)).all()
    first, last = rows[0][0], rows[-1][0]
    later = sum(count for _, count in rows[1:])
    return Timed(seconds, later / (last - first).total_seconds(), first.timestamp() - began)
