"""What this process may use of the machine, and how many workers that makes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tagtray.config.settings import MAX_WORKERS

#: Ways to share the cores out that are worth a trial, at most: those with the fewest threads.
MAX_SPLITS = 5
#: Bytes of a worker apart from its slots: 420 MiB of its own in torch and the network (measured; mapped
#: libraries are shared), the rest an estimate for the ledger, the queue and one large image in decode.
BYTES_PER_WORKER = 800 * 2**20
#: Bytes of one more slot of the models that ship: pixels and scores; the network runs over a few at a time.
BYTES_PER_SLOT = 160 * 2**10

#: For the environment of a worker: numpy's BLAS has no threads of its own there. Those of two workers wait
#: for each other by spinning: 15 instead of 2.6 ms to sum the tags of 32 images on two cores.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1"}

#: Files of cgroup v2 and v1 that hold a limit, its use, and the key of the cache that can be had back.
_MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


@dataclass(frozen=True)
class Plan:
    """Worker processes and the torch threads of each."""

    workers: int
    threads: int


def plan(workers: int | None, batch_size: int, root: Path = Path("/")) -> Plan:
    """Share the cores out: one worker with one thread on each, fewer workers where memory is short.

    ``workers`` given: as many as asked for, with the cores divided among them.
    """
    cores = available_cpus(root)
    if workers is None:
        need = BYTES_PER_WORKER + batch_size * BYTES_PER_SLOT
        workers = max(1, min(cores, available_memory_bytes(root) // need))
    return Plan(workers, max(1, cores // workers))


def splits(batch_size: int, root: Path = Path("/")) -> list[Plan]:
    """Every way to share all cores out evenly that memory allows, the most workers first."""
    cores = available_cpus(root)
    most = min(plan(None, batch_size, root).workers, MAX_WORKERS)
    found = [Plan(cores // threads, threads) for threads in range(1, cores + 1) if cores % threads == 0]
    return [split for split in found if split.workers <= most][:MAX_SPLITS]


def available_cpus(root: Path = Path("/")) -> int:
    """Whole cores by affinity and by cgroup quota (v2 ``cpu.max``, v1 ``cpu.cfs_quota_us``), at least 1."""
    cores = [float(len(os.sched_getaffinity(0)))]
    for folder in _cgroups(root, "cpu"):
        fields = _text(folder / "cpu.max").split()
        if not fields:
            fields = [_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")]
        quota, period = (_number(field) for field in fields)
        if quota and period:
            cores.append(quota / period)
    return max(1, int(min(cores)))


def available_memory_bytes(root: Path = Path("/")) -> int:
    """Bytes that can still be had: ``MemAvailable``, or less where a cgroup has less left below its limit."""
    left = [_field(_text(root / "proc/meminfo"), "MemAvailable:") * 1024]
    for folder in _cgroups(root, "memory"):
        for limit_file, usage_file, cache_key in _MEMORY:
            limit = _number(_text(folder / limit_file))
            if limit:
                cache = _field(_text(folder / "memory.stat"), cache_key)
                left.append(limit - (_number(_text(folder / usage_file)) or 0) + cache)
    return max(0, min(left))


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """This process's cgroup and all above it, v2 and v1: each may set a limit (man 7 cgroups)."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        base = root / "sys/fs/cgroup"
        if controller in controllers.split(","):
            base /= controller
        elif number != "0":
            continue
        # In a container the path may be the host's, of which the mount shows the top alone: go on upwards.
        folder = base / path.lstrip("/")
        yield from (place for place in (folder, *folder.parents) if place.is_relative_to(base))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    """The number in a cgroup's file; None for ``max``, ``-1`` and a file that is not there: no limit."""
    return int(text) if text.strip().isdecimal() else None


def _field(table: str, key: str) -> int:
    """The first number after ``key`` in lines of keys and values, 0 where it is missing."""
    return next((int(line.split()[1]) for line in table.splitlines() if line.startswith(f"{key} ")), 0)
