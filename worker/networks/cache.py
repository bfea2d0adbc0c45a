"""Files that are made once and kept in ``TAGTRAY_HOME/cache``, used only with the hash recorded for them.

They are made in a process of its own, so that a worker never holds what only the making needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tagtray.config import atomic, subprocesses
from tagtray.config.errors import InfrastructureError, WeightsError
from tagtray.weights.model import Model

log = logging.getLogger(__name__)

#: Number of the graph that is built of a model, for torch and as ONNX; to be raised with every change.
GRAPH = 4

#: Seconds that making a file may take (about 5 on one core).
TIMEOUT_S = 300.0


class _Stale(Exception):
    """A cached file that must not be used; the message is half a sentence."""


def path(home: Path, model: Model, variant: str, suffix: str) -> Path:
    """Where a cached file of a model lies; its name changes with whatever changes its content."""
    return home / "cache" / f"{model.name}-{model.key}-g{GRAPH}-{variant}{suffix}"


def opened(target: Path, model: Model, module: str, form: str) -> BinaryIO:
    """Open the file ``target`` of a model, a ``path``; where it is missing or damaged, ``module`` makes it.

    The module is given the model as JSON, the form and the target, and ends with ``make``. Many processes may
    call at once: one makes the file, the others wait. Whoever makes one removes those of the same model that
    other weights or another graph went into. Raises WeightsError, InfrastructureError.
    """
    try:
        target.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        return _cached(target) or _renewed(target, model, module, form)
    except OSError as error:
        raise InfrastructureError(f"The cache of the network cannot be used: {error}.") from error


def keep(target: Path, data: bytes) -> None:
    """Write a cached file and the record that vouches for it."""
    atomic.replace(target, data)
    atomic.replace(_record(target), json.dumps({"sha256": hashlib.sha256(data).hexdigest()}).encode())


def make(target: Path, data: Callable[[], bytes]) -> int:
    """Keep what ``data`` gives: the exit code of a process started for it, which says what is wrong."""
    try:
        keep(target, data())
    except (OSError, WeightsError) as error:
        strerror = error.strerror if isinstance(error, OSError) else None
        print(f"{strerror}." if strerror else error, file=sys.stderr)
        return 1
    return 0


def _cached(target: Path) -> BinaryIO | None:
    with _locked(target, fcntl.LOCK_SH), contextlib.suppress(_Stale):
        return _open(target)
    return None


def _renewed(target: Path, model: Model, module: str, form: str) -> BinaryIO:
    with _locked(target, fcntl.LOCK_EX):
        try:
            found = _open(target)
        except _Stale as stale:
            log.warning("network_renewed: %s; it is made anew.", stale)
            found = None
        if found is None:
            _make_apart(target, model, module, form)
            log.info("network_made: %s.", target)
            _remove_obsolete(target.parent, model)
            found = _open(target)
    if found is None:
        raise InfrastructureError(f"{target} vanished while it was read.")
    return found


def _open(target: Path) -> BinaryIO | None:
    """Open a file that its record vouches for; None where there is none, raises _Stale where it does not."""
    try:
        file = target.open("rb")
    except FileNotFoundError:
        return None
    if hashlib.file_digest(file, "sha256").hexdigest() != _recorded(_record(target)):
        file.close()
        raise _Stale(f"{target} is not the file that its record describes")
    file.seek(0)
    return file


def _recorded(record: Path) -> str | None:
    """Return the hash in a record that nobody else can have written, else None."""
    try:
        with record.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                return None
            fields = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    found = fields.get("sha256") if isinstance(fields, dict) else None
    return found if isinstance(found, str) else None


def _record(target: Path) -> Path:
    return target.with_suffix(".json")


def _remove_obsolete(folder: Path, model: Model) -> None:
    """Remove what was made of former weights of this name, and of former graphs."""
    made = re.compile(rf"{re.escape(model.name)}-[0-9a-f]{{12}}-.*\.(pt|onnx|json|lock)")
    current = f"{model.name}-{model.key}-g{GRAPH}-"
    for file in folder.iterdir():
        if made.fullmatch(file.name) and not file.name.startswith(current):
            file.unlink(missing_ok=True)


def _make_apart(target: Path, model: Model, module: str, form: str) -> None:
    for draft in target.parent.glob(f".{target.stem}.*"):
        draft.unlink(missing_ok=True)
    line = subprocesses.command(module, model.to_json(), form, str(target))
    try:
        ended = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise InfrastructureError(f"Preparing the network took over {TIMEOUT_S:.0f} s.") from None
    if ended.returncode != 0:
        reasons = ended.stderr.strip().splitlines() or [f"its process ended with {ended.returncode}."]
        raise WeightsError(f"The network could not be prepared: {reasons[-1]}")


@contextlib.contextmanager
def _locked(target: Path, mode: int) -> Iterator[None]:
    handle = os.open(target.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, mode)
        yield
    finally:
        os.close(handle)
