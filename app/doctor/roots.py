"""What the doctor looks at in the watched folders: are they there, may they be read, does the kernel tell."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine

from tagtray.app.doctor.finding import Finding, State, note, ok, wrong
from tagtray.config.settings import Settings
from tagtray.config.text import counted, shown
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder
from tagtray.db.reading import run_stats
from tagtray.imaging import mounts

#: Where Linux says how many folders may be watched.
INOTIFY = Path("/proc/sys/fs/inotify")
#: Seconds that folders are counted for at most.
COUNTING = 5.0
#: Entries of a folder whose rights are looked at.
SAMPLE = 200


def examine(database: Engine, settings: Settings) -> Iterator[Finding]:
    """Every root that this host should have, and the limits of the kernel for watching them."""
    here = []
    counts = run_stats.images_by_root(database)
    for root in roots.everywhere(database, settings).values():
        finding = _folder(root, run_stats.present(counts.get(root.id, {})))
        yield finding
        if finding.state is State.OK:
            here.append(root)
    yield _inotify([root for root in here if not (settings.poll or mounts.network_type(root.path))])


def _folder(root: RootFolder, known: int) -> Finding:
    check, variable = f"root {root.name}", f"TAGTRAY_ROOT_{root.name.upper()}"
    try:
        with os.scandir(root.path) as entries:
            names = [entry.path for entry, _ in zip(entries, range(SAMPLE), strict=False)]
    except OSError as error:
        found = f"{shown(root.path)}: {error.strerror}"
        if not root.is_mapped and root.host not in ("", socket.gethostname()):
            return note(check, f"{found}; {root.host} has it", f"if this host has it: {variable}=/its/path")
        return wrong(check, found, f"mount it, let this user read it, or set {variable}")
    if not names and known:
        found = f"{shown(root.path)} is empty and the ledger knows {known:,} images of it"
        return wrong(check, found, "mount it")
    closed = sum(not os.access(name, os.R_OK) for name in names)
    if closed:
        found = f"{closed:,} of the first {len(names):,} entries of {shown(root.path)} may not be read"
        return wrong(check, found, "let this user read them")
    kind = mounts.network_type(root.path)
    how = f"on {kind}: polled, for the kernel hears nothing of others' changes" if kind else "local"
    return ok(check, f"{shown(root.path)}, {how}, {counted(known, 'image')}")


def _inotify(watched: list[RootFolder]) -> Finding:
    libc = ctypes.CDLL(None, use_errno=True)
    instance = libc.inotify_init1(os.O_CLOEXEC)
    if instance < 0:
        found = f"the kernel gives no more watches: {os.strerror(ctypes.get_errno())}"
        return wrong("inotify", found, "sysctl fs.inotify.max_user_instances=1024")
    os.close(instance)
    limit, folders = _limit(), _count(watched)
    found = f"{folders:,} folders to watch; the kernel allows {limit:,}"
    if folders > limit:
        return wrong("inotify", found, f"sysctl fs.inotify.max_user_watches={2 * folders}")
    return ok("inotify", found)


def _limit() -> int:
    try:
        return int((INOTIFY / "max_user_watches").read_text())
    except OSError:
        return 0


def _count(watched: list[RootFolder]) -> int:
    """Folders in these roots, as far as they can be counted in time."""
    deadline = time.monotonic() + COUNTING
    count = 0
    for root in watched:
        for _ in os.walk(root.path):
            count += 1
            if time.monotonic() > deadline:
                return count
    return count
