"""What the doctor looks at on this machine: the home, the disk, the processor, memory, engines, weights."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tagtray.app.doctor.finding import Finding, note, ok, wrong
from tagtray.config.errors import TagtrayError
from tagtray.config.settings import Settings
from tagtray.config.text import counted, shown
from tagtray.imaging import mounts
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import cpu_features, selection
from tagtray.worker.supervision import resources

#: Bytes of a disk that a ledger, its log and the caches of the networks should have to grow into.
LEAST_FREE = 2**30
#: Bytes of caches from which they are worth a note: networks of former models and versions.
LARGE_CACHE = 2**30
#: What networks are computed with, as Linux calls it, by what people call it.
FEATURES = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx_vnni", "avx512_vnni"),
    "bf16": ("avx512_bf16", "bf16"),
    "AMX": ("amx_tile",),
    "NEON": ("asimd",),
}


def examine(settings: Settings) -> Iterator[Finding]:
    """All of it; nothing is changed but a file that comes and goes in the home."""
    yield _home(settings)
    yield _disk(settings)
    yield _cache(settings)
    yield _processor()
    yield _memory(settings)
    yield _engines(settings)
    yield _weights(settings)


def _home(settings: Settings) -> Finding:
    home = settings.home
    kind = mounts.network_type(str(_existing(home)).encode(errors="surrogateescape"))
    try:
        with tempfile.TemporaryFile(dir=_existing(home)):
            pass
    except OSError as error:
        advice = "give this user the right to write there, or set TAGTRAY_HOME"
        return wrong("home", f"{shown(home)} cannot be written to: {error.strerror}", advice)
    if kind and settings.database_url is None:
        advice = "set TAGTRAY_HOME to a local disk, or TAGTRAY_DATABASE_URL to a PostgreSQL"
        return wrong("home", f"{shown(home)} is on {kind}, where SQLite can lose data", advice)
    return ok("home", shown(home) if home.exists() else f"{shown(home)}, which the first run makes")


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_existing(settings.home)).free
    found = f"{free / 2**30:,.1f} GiB are free in {shown(settings.home)}"
    if free < LEAST_FREE:
        return wrong("disk", found, f"make room: {LEAST_FREE / 2**30:.0f} GiB should be free")
    return ok("disk", found)


def _cache(settings: Settings) -> Finding:
    folder = settings.home / "cache"
    used = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    found = f"{used / 2**20:,.0f} MiB in {shown(folder)}"
    if used > LARGE_CACHE:
        return note("cache", found, "remove that folder while tagtray rests: what is needed is made again")
    return ok("cache", found)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _processor() -> Finding:
    flags = cpu_features.flags()
    has = [name for name, names in FEATURES.items() if flags.intersection(names)]
    found = f"{cpu_features.name()}, {resources.available_cpus()} cores, {', '.join(has) or 'no vectors'}"
    if not {"AVX2", "NEON"}.intersection(has):
        return note("processor", found, "a processor with AVX2 is several times as fast")
    return ok("processor", found)


def _memory(settings: Settings) -> Finding:
    available = resources.available_memory_bytes()
    plan = resources.plan(settings.workers, settings.batch_size)
    need = plan.workers * (resources.BYTES_PER_WORKER + settings.batch_size * resources.BYTES_PER_SLOT)
    workers = counted(plan.workers, "worker")
    found = f"{available / 2**30:,.1f} GiB can be had; {workers} need {need / 2**30:,.1f} GiB"
    if available < need:
        return wrong("memory", found, "lower TAGTRAY_WORKERS or TAGTRAY_BATCH_SIZE, or end other programs")
    return ok("memory", found)


def _engines(settings: Settings) -> Finding:
    try:
        wanted = selection.choices(settings)
    except TagtrayError as error:
        return wrong("engines", str(error), "set TAGTRAY_ENGINE and TAGTRAY_PRECISION to auto, or install it")
    first = " or ".join(map(str, wanted[:2]))
    return ok("engines", f"{', '.join(selection.installed())} are installed; {first} is used")


def _weights(settings: Settings) -> Finding:
    try:
        count = ModelStore.of(settings.home).verify()
    except TagtrayError as error:
        return wrong("weights", str(error), "add that model again, or install tagtray again")
    return ok("weights", f"all {count} files are what their SHA-256 says")
