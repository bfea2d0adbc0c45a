"""The first steps of every command: settings, log lines, the name of the process."""

from __future__ import annotations

from typing import Any

import setproctitle

from tagtray.config import logs
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings


def load(**overrides: Any) -> Settings:
    """Load the settings, with the options that were given, and configure logging. Raises UsageError."""
    settings = configuration.load(**overrides)
    logs.configure(settings.log_level)
    return settings


def name_process(role: str) -> None:
    """Have ``ps`` and ``top`` show what this process is."""
    setproctitle.setproctitle(f"tagtray: {role}")
