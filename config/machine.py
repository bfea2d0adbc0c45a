"""The settings that ``tagtray bench --save`` keeps for this machine, in ``TAGTRAY_HOME/machine.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagtray.config import atomic
from tagtray.config.errors import InfrastructureError, UsageError

FILE = "machine.json"
#: The settings that the file holds.
NAMES = frozenset({"engine", "precision", "workers", "batch_size"})


def path(home: Path) -> Path:
    """The path of the file."""
    return home / FILE


def read(home: Path) -> dict[str, Any]:
    """The settings that were kept, unchecked values by name; empty where there is no file.

    Raises UsageError with a sentence that names the file.
    """
    try:
        content = json.loads(path(home).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{path(home)} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise UsageError(_damaged(home, "is not JSON")) from None
    kept = content.get("settings") if isinstance(content, dict) else None
    if not isinstance(kept, dict):
        raise UsageError(_damaged(home, "has no settings"))
    if unknown := sorted(kept.keys() - NAMES):
        raise UsageError(_damaged(home, f"sets {unknown[0]!r}, which is none of {', '.join(sorted(NAMES))}"))
    return kept


def write(home: Path, kept: Mapping[str, Any], measured: Mapping[str, Any]) -> Path:
    """Keep settings, and beside them what was measured; return the file. Raises InfrastructureError."""
    content = {"settings": dict(kept), "measured": dict(measured)}
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.replace(path(home), json.dumps(content, indent=2).encode() + b"\n")
    except OSError as error:
        raise InfrastructureError(f"{path(home)} cannot be written: {error.strerror}.") from error
    return path(home)


def _damaged(home: Path, what: str) -> str:
    return f"{path(home)} {what}; delete it, and `tagtray bench --save` makes a new one."
