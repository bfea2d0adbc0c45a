"""POST /predict under load, beside a Flask service on the same cores.

``python -m benchmarks.web --photos DIR``: a real ``tagtray run --web`` with its workers for each precision,
and the peer, one after the other; distinct photos over connections that stay open. The client takes part of
the same cores, of both alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import load, memory, photos, report
from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.imaging.decode import decode_into
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, selection
from tagtray.worker.supervision import resources

#: Requests of a load, at once, one at a time, before anything is counted; pending images behind.
REQUESTS, CONCURRENCY, ALONE, WARM, BACKLOG = 1_000, 10, 100, 40, 100_000
#: Seconds that a service may take to start.
PATIENCE = 600.0
SIZES: Mapping[str, Callable[[Sequence[Path], Path, int], Path]] = {
    "small": photos.small,
    "camera": photos.camera,
}


#: The seconds of CPU that all processes of a service have spent so far.
Service = Callable[[], float]


def main() -> None:
    """Measure, print and keep."""
    options = _options()
    sources = list(photos.in_order(options.photos))
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="web-") as scratch:
            count = options.requests + options.alone + WARM + 1
            folder = SIZES[size](sources, Path(scratch) / "photos", count)
            made = [path.read_bytes() for path in photos.in_order(folder)]
            figures = _measure(made, Path(scratch), options)
        print(size, json.dumps(figures, indent=2))
        report.write(f"web-{size}", figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="real photos to make the inputs from")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["small"])
    parser.add_argument("--ways", nargs="+", default=["auto-fp32", "auto-auto"], metavar="ENGINE-PRECISION")
    parser.add_argument("--cache", type=Path, help="a home whose files of networks are used")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--alone", type=int, default=ALONE)
    parser.add_argument("--backlog", type=int, default=0, help=f"pending images behind, such as {BACKLOG}")
    parser.add_argument("--peer-threads", type=int, nargs="+", default=[1, resources.available_cpus()])
    return parser.parse_args()


def _measure(made: Sequence[bytes], scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {"bytes_of_a_photo": round(statistics.mean(map(len, made)))}
    for threads in options.peer_threads:
        with _peer(threads) as (port, service):
            load.send(port, made[:WARM], CONCURRENCY)
            sent = _loaded(service, port, made[WARM : -options.alone - 1], CONCURRENCY)
            figures[f"flask-{threads}-threads"] = sent
    for way in options.ways:
        figures[way] = _tagtray(way, made, scratch, options)
    return figures


def _tagtray(way: str, made: Sequence[bytes], scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    engine, precision = way.split("-")
    settings = {"TAGTRAY_ENGINE": engine, "TAGTRAY_PRECISION": precision}
    folder = scratch / f"backlog-{way}"
    folder.mkdir()
    if options.backlog:
        memory.make(folder, options.backlog)
    found: dict[str, Any] = {}
    home = scratch / f"home-{way}"
    if options.cache:
        shutil.copytree(options.cache / "cache", home / "cache")
    with _run(folder, home, settings, options.backlog) as (port, service):
        load.send(port, made[:WARM], CONCURRENCY)
        found["load"] = _loaded(service, port, made[WARM : -options.alone - 1], CONCURRENCY)
        found["alone"] = _loaded(service, port, made[-options.alone - 1 : -1], 1)
        found["cached"] = _loaded(service, port, [made[0]] * options.requests, CONCURRENCY)
        if options.backlog:
            found["left_of_the_backlog"] = _status(port)["images"]["pending"]
    if not options.backlog:
        found["decode_and_forward_ms"] = _alone(settings, scratch, made[-options.alone - 1 : -1])
    return found


def _loaded(service: Service, port: int, made: Sequence[bytes], concurrency: int) -> dict[str, Any]:
    """A load's figures, with the CPU that all processes of the service took for a request."""
    before = service()
    sent = load.send(port, made, concurrency)
    spent = service() - before
    return {**sent.figures(), "cpu_ms_per_request": round(1000 * spent / len(made), 1)}


def _of_home(home: Path) -> Service:
    """Those whose TAGTRAY_HOME this is, the embedded Redis included."""
    variable = str(home)

    def spent() -> float:
        total = 0.0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TAGTRAY_HOME") == variable:
                    total += sum(process.cpu_times()[:2])
        return total

    return spent


def _alone(settings: Mapping[str, str], home: Path, made: Sequence[bytes]) -> float:
    """The median of decode and forward pass of one photo after the other, in milliseconds, by themselves."""
    code = f"import benchmarks.web as web; print(web.forward({str(home / 'one')!r}))"
    command = [sys.executable, "-c", code]
    (home / "one").mkdir(exist_ok=True)
    for number, data in enumerate(made):
        (home / "one" / f"{number}.jpg").write_bytes(data)
    environment = os.environ | settings | {"TAGTRAY_HOME": str(home / "alone")}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


def forward(folder: str) -> float:
    """The same, in this process."""
    settings, model = configuration.load(), ModelStore().default
    classifier = selection.load_best(settings, model, rollup.load(model), 1)
    slot, spent = classifier.slots[0], []
    for path in sorted(Path(folder).iterdir()):
        data = path.read_bytes()
        began = time.perf_counter()
        decode_into(slot, data, model.input, exact=False, max_pixels=settings.max_pixels)
        classifier.classify(1)
        spent.append(1000 * (time.perf_counter() - began))
    return float(np.median(spent))


@contextlib.contextmanager
def _peer(threads: int) -> Iterator[tuple[int, Service]]:
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.flask_peer", str(port), str(threads)]
    with _served(command, os.environ, port) as process:
        yield port, lambda: sum(psutil.Process(process.pid).cpu_times()[:2])


@contextlib.contextmanager
def _run(
    folder: Path, home: Path, settings: Mapping[str, str], backlog: int
) -> Iterator[tuple[int, Service]]:
    port = _free_port()
    command = subprocesses.command("tagtray", "run", str(folder), "--web", "--port", str(port))
    # What tells a process's home is not to be overwritten by its title.
    environment = os.environ | settings | {"TAGTRAY_HOME": str(home), "SPT_NOENV": "1"}
    with _served(command, environment, port):
        while backlog and _status(port)["images"]["pending"] < backlog // 2:
            time.sleep(0.5)
        yield port, _of_home(home)


@contextlib.contextmanager
def _served(
    command: Sequence[str], environment: Mapping[str, str], port: int
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while not _is_ready(port):
            assert process.poll() is None and time.monotonic() < until, "the service does not start"
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _status(port: int) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=30) as answer:
        return json.load(answer)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
