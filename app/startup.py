"""The first steps of every command: settings, log lines, the name of the process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import setproctitle

from tagtray.config import logs
from tagtray.config import settings as configuration
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings

log = logging.getLogger(__name__)


def load(**overrides: Any) -> Settings:
    """Load the settings, with the options that were given, and configure logging. Raises UsageError."""
    settings = configuration.load(**overrides)
    logs.configure(settings.log_level, settings.log)
    return settings


def patience(pause: Callable[[float], object] = time.sleep) -> Outage:
    """How a command that has just begun waits; ``pause`` sleeps and says whether to stop instead."""
    return Outage(log, "start_waits", lambda seconds: bool(pause(seconds)))


def name_process(role: str) -> None:
    """Have ``ps`` and ``top`` show what this process is."""
    setproctitle.setproctitle(f"tagtray: {role}")
