"""The traced network in a file: made once per weights and torch version, loaded only with its recorded hash.

``python -m worker.tracing WEIGHTS SHA256 TARGET`` makes one; workers start it in a process of its own so that
they never hold torchvision and the eager network beside the trace.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch

from config.errors import InfrastructureError, WeightsError

log = logging.getLogger(__name__)

#: Number of the graph that ``worker.network`` describes; to be raised with every change to it.
GRAPH = 1
#: Images of the example batch; the trace holds for every batch size.
EXAMPLE_BATCH = 2
#: Seconds that making a trace may take (about 5 on one core).
TRACE_TIMEOUT_S = 300.0


class _Stale(Exception):
    """A cached trace that must not be loaded; the message is half a sentence."""


def load(weights: Path, sha256: str, home: Path) -> torch.jit.ScriptModule:
    """Return the network, traced and optimised: (n, 3, 224, 224) uint8 -> (n, 1000) float32 logits.

    ``sha256`` is the hex hash that ``weights`` must have; ``home / "cache"`` keeps the trace. Many processes
    may call at once: one makes the file, the others wait. Raises WeightsError, InfrastructureError.
    """
    target = home / "cache" / name(sha256)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with _cached(target) or _renewed(weights, sha256, target) as file:
            return _optimise(file)
    except OSError as error:
        raise InfrastructureError(f"The cache of the network cannot be used: {error}.") from error


def name(sha256: str) -> str:
    """File name of the trace of the weights with this hash under the torch that runs."""
    version = torch.__version__.partition("+")[0]
    return f"resnet18-{sha256[:12]}-torch{version}-g{GRAPH}.pt"


def make(weights: bytes) -> bytes:
    """Trace and freeze the network of a safetensors file; return the TorchScript file."""
    from worker import network

    model = network.build(weights)
    example = torch.zeros(EXAMPLE_BATCH, network.IMAGE_SIDE, network.IMAGE_SIDE, 3, dtype=torch.uint8)
    file = io.BytesIO()
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            model, example.permute(0, 3, 1, 2), check_trace=False
        )
        torch.jit.save(torch.jit.freeze(traced), file)
    return file.getvalue()


def _cached(target: Path) -> BinaryIO | None:
    with _locked(target, fcntl.LOCK_SH), contextlib.suppress(_Stale):
        return _open(target)
    return None


def _renewed(weights: Path, sha256: str, target: Path) -> BinaryIO:
    with _locked(target, fcntl.LOCK_EX):
        try:
            found = _open(target)
        except _Stale as stale:
            log.warning("trace_renewed: %s; it is made anew.", stale)
            found = None
        if found is None:
            _make_apart(weights, sha256, target)
            log.info("trace_made: %s.", target)
            found = _open(target)
    if found is None:
        raise InfrastructureError(f"{target} vanished while it was read.")
    return found


def _open(target: Path) -> BinaryIO | None:
    """Open a trace that its record vouches for; None where there is none, raises _Stale where it does not."""
    try:
        file = target.open("rb")
    except FileNotFoundError:
        return None
    if hashlib.file_digest(file, "sha256").hexdigest() != _recorded(_record(target)):
        file.close()
        raise _Stale(f"{target} is not the file that its record describes")
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


def _make_apart(weights: Path, sha256: str, target: Path) -> None:
    """Make the trace and its record in a process of its own."""
    for draft in target.parent.glob(f".{target.stem}.*"):
        draft.unlink(missing_ok=True)
    # -P: the current folder may hold a worker.py or torch.py of somebody else.
    command = [sys.executable, "-P", "-m", "worker.tracing", str(weights), sha256, str(target)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TRACE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise InfrastructureError(f"Tracing the network took over {TRACE_TIMEOUT_S:.0f} s.") from None
    if ended.returncode != 0:
        reasons = ended.stderr.strip().splitlines() or [f"its process ended with {ended.returncode}."]
        raise WeightsError(f"The network could not be traced: {reasons[-1]}")


def _write(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 that is there as a whole or not at all."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _locked(target: Path, mode: int) -> Iterator[None]:
    handle = os.open(target.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, mode)
        yield
    finally:
        os.close(handle)


def _optimise(file: BinaryIO) -> torch.jit.ScriptModule:
    # By descriptor: the very file that was hashed, and 45 MB less than through a copy in memory.
    source = f"/proc/self/fd/{file.fileno()}"
    with _quiet():
        module = torch.jit.load(source, map_location="cpu")  # type: ignore[no-untyped-call]
        # Only now: a file saved after this step cannot be loaded.
        return torch.jit.optimize_for_inference(module)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep out the notices that TorchScript is deprecated, and nothing else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", FutureWarning)
        yield


def main(arguments: list[str]) -> int:
    """Make TARGET and its record from the file WEIGHTS, which must have the hash SHA256."""
    weights, sha256, target = Path(arguments[0]), arguments[1], Path(arguments[2])
    try:
        data = weights.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise WeightsError(f"{weights} is damaged: its SHA-256 is not the expected one.")
        trace = make(data)
        _write(target, trace)
        _write(_record(target), json.dumps({"sha256": hashlib.sha256(trace).hexdigest()}).encode())
    except (OSError, WeightsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
