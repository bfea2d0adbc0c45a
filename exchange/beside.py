"""Files beside photos: read and replaced with care for what is not ours."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tagtray.config import atomic
from tagtray.db import paths
from tagtray.db.places.roots import RootFolder
from tagtray.exchange.xmp import SidecarError

#: What is added to the name of a photo.
ENDING = b".xmp"
#: Bytes of a sidecar at most; with drawn masks darktable writes some 100,000.
MAX_BYTES = 4 * 2**20


def place(root: RootFolder, path: bytes) -> Path:
    """Where the sidecar of the photo ``path`` is; raises SidecarError where that is not in its root."""
    folder, name = os.path.split(os.path.join(root.path, path))
    real, top = os.path.realpath(folder), os.path.realpath(root.path)
    if real != top and not paths.is_below(real, top):
        raise SidecarError("lies behind a link that leads out of its root")
    return Path(os.fsdecode(os.path.join(real, name + ENDING)))


def has_photo(root: RootFolder, path: bytes) -> bool:
    """Whether the photo is there just now."""
    return os.path.isfile(os.path.join(root.path, path))


def read(file: Path) -> bytes | None:
    """What the sidecar holds, None where there is none; raises SidecarError for one to be left alone."""
    try:
        status = file.lstat()
        if stat.S_ISLNK(status.st_mode) or status.st_nlink > 1:
            raise SidecarError("is a link, which is left alone")
        if not stat.S_ISREG(status.st_mode):
            raise SidecarError("is no file")
        if not status.st_mode & 0o222 or not os.access(file, os.W_OK):
            raise SidecarError("is read-only")
        if status.st_size > MAX_BYTES:
            raise SidecarError(f"has more than {MAX_BYTES:,} bytes")
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SidecarError(f"cannot be read: {error.strerror}") from None


def put(file: Path, data: bytes | None) -> None:
    """Replace the sidecar at once, or (None) remove it; raises SidecarError."""
    try:
        if data is None:
            file.unlink(missing_ok=True)
            return
        with atomic.draft(file) as draft:
            if file.exists():
                os.fchmod(draft.fileno(), stat.S_IMODE(file.stat().st_mode))
            draft.write(data)
    except OSError as error:
        raise SidecarError(f"cannot be written: {error.strerror}") from None
