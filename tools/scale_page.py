"""The tables of ``docs/scale.md``: what workers need of the two stores, computed from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.performance_page import read, table

#: Workers that the page is computed for.
WORKERS = (1, 10, 100)
#: Images per second of one worker, a core each: the fastest of the small photos in docs/performance.md.
PER_WORKER = 50
#: What is counted, in words, and how a figure is written.
COUNTS: Mapping[str, tuple[str, str]] = {
    "redis_commands": ("Redis: commands", "{:,.2f}"),
    "redis_bytes_in": ("Redis: bytes to it", "{:,.0f}"),
    "redis_bytes_out": ("Redis: bytes from it", "{:,.0f}"),
    "redis_cpu_seconds": ("Redis: CPU, ms", "{:,.3f}"),
    "transactions": ("PostgreSQL: transactions", "{:,.2f}"),
    "inserted": ("PostgreSQL: rows inserted", "{:,.1f}"),
    "updated": ("PostgreSQL: rows updated", "{:,.1f}"),
    "wal_bytes": ("PostgreSQL: bytes of its log (WAL)", "{:,.0f}"),
    "size_bytes": ("PostgreSQL: bytes on disk", "{:,.0f}"),
}
MILLISECONDS = ("redis_cpu_seconds",)


def costs() -> str:
    """What an image costs the stores, and what a worker costs that waits, per second."""
    found = read("stores")
    image, waiting = found["per_image"], found["waiting_per_second"]
    rows = [
        (words, form.format(_shown(image, name)), form.format(_shown(waiting, name)))
        for name, (words, form) in COUNTS.items()
    ]
    return table(("", "an image", "a worker that waits, per second"), rows)


def needs() -> str:
    """What workers at full rate need per second."""
    found = read("stores")
    image, waiting = found["per_image"], found["waiting_per_second"]
    rows = [("images", *(f"{count * PER_WORKER:,}" for count in WORKERS))]
    for name in ("redis_commands", "redis_bytes_in", "redis_bytes_out", "transactions", "wal_bytes"):
        each = [count * (PER_WORKER * image[name] + waiting[name]) for count in WORKERS]
        rows.append((COUNTS[name][0], *(f"{value:,.0f}" for value in each)))
    one = PER_WORKER * image["redis_cpu_seconds"] + waiting["redis_cpu_seconds"]
    busy = [count * one for count in WORKERS]
    rows.append(("Redis: share of its one core", *(f"{100 * value:,.1f} %" for value in busy)))
    rows.append(("PostgreSQL: cores like those measured", *(f"{_cores(count):,.1f}" for count in WORKERS)))
    return table(("per second", *(f"{count:,} worker{'s' * (count > 1)}" for count in WORKERS)), rows)


def bounds() -> str:
    """Where each store is full."""
    image = read("stores")["per_image"]
    redis = 1 / image["redis_cpu_seconds"]
    rows = [
        ("Redis: its one core", f"{redis:,.0f}", f"{redis / PER_WORKER:,.0f}"),
        ("PostgreSQL: two cores", f"{_postgresql():,.0f}", f"{_postgresql() / PER_WORKER:,.0f}"),
    ]
    return table(("full at", "images per second", "workers"), rows)


def _postgresql() -> float:
    """Images per second that several processes claim and commit on two cores, which they share with it."""
    found: Mapping[str, Any] = read("scale")["figures"]["postgresql"]["100000"]["processes"]
    return max(float(each["images_per_second"]) for each in found.values())


def _cores(workers: int) -> float:
    return 2 * workers * PER_WORKER / _postgresql()


def _shown(found: Mapping[str, float], name: str) -> float:
    return found[name] * (1000 if name in MILLISECONDS else 1)
