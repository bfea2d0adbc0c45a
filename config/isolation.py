"""Nothing leaves the machine: reports that libraries would send, and files that they would keep elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

#: Variables that switch reports off: ONNX Runtime reads its own when it is imported, and no function after.
_SILENT = {"ORT_DISABLE_TELEMETRY": "1"}
#: Modules whose only purpose is to report. OpenVINO does without its one, which knows no switch but a file
#: in the user's home.
_REPORTERS = ("openvino_telemetry",)
#: Variables that name the folders in which libraries keep files, and what these are called in the cache.
_FOLDERS = {"MPLCONFIGDIR": "matplotlib", "TORCHINDUCTOR_CACHE_DIR": "torch", "XDG_CACHE_HOME": "other"}


def silence() -> None:
    """Switch off every library's reports, whatever the environment says; before any of them is imported."""
    os.environ.update(_SILENT)
    for name in _REPORTERS:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed


def keep_in(home: Path) -> None:
    """Have the libraries that are imported from now on keep their files in ``home / "cache"``."""
    cache = home / "cache"
    # A library would make the folders readable for everybody. Where they cannot be made, others say so.
    with contextlib.suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        cache.mkdir(mode=0o700, exist_ok=True)
    os.environ.update({variable: str(cache / name) for variable, name in _FOLDERS.items()})
