"""Read a file of a root once, hash the very bytes, and refuse whatever lies outside of the root."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tagtray.config import limits
from tagtray.config.errors import ImageCode, ImageDeferred, ImageError, ImageGone, MountFault
from tagtray.imaging import mounts

#: Seconds until a file that changed under the reader is looked at again: as long as a copy may pause.
CHANGED_SECONDS = 2.0

#: Seconds until a fault of the machine or of a mount is tried again.
FAULT_SECONDS = 15.0

#: Seconds until a file on a network mount that may not be read is tried again: a ticket that expired or an
#: export that refuses this user is put right by people.
REFUSED_SECONDS = 300.0

#: Seconds until a root that is not there is asked for again.
ROOT_SECONDS = 15.0

#: O_NONBLOCK so that a FIFO does not wait for a writer; O_NOCTTY so that a terminal does not become ours.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK

_REFUSED = "The file may not be read by this user."
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
#: What is wrong with the file itself and stays so; any other fault is the machine's or the mount's. A refusal
#: is final only where this machine itself holds the file.
_FINAL = {
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.ELOOP: "The file is a link that leads back to itself.",
    errno.ENAMETOOLONG: "The file's path is too long for this system.",
    errno.EINVAL: "The file's name is not accepted by its file system.",
    errno.ENXIO: "The file is a socket or a device, not a picture.",
    errno.ENODEV: "The file is a device, not a picture.",
    errno.EISDIR: "The path leads to a folder.",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a file and what the system said of it while they were read."""

    data: bytes
    sha256: str
    size_bytes: int
    mtime_ns: int


def open_image(root: bytes | str | Path, relative: bytes, *, max_bytes: int) -> Source:
    """Read the file ``relative`` ('/' between its components) of the folder ``root``.

    Raises ImageError (empty, too_large, outside_root, unreadable, not_an_image), ImageGone when the root is
    there and the file is not, MountFault when the root or its mount fails, and ImageDeferred when the file
    just changes.
    """
    _refuse_path(relative)
    try:
        with _opened_root(root) as folder, _opened(folder, relative) as descriptor:
            before = os.fstat(descriptor)
            _refuse_file(folder, descriptor, before, max_bytes)
            data = _read(descriptor, before.st_size)
            after = os.fstat(descriptor)
    except (OSError, MemoryError) as error:
        raise _deferred(error) from None
    changed = (after.st_mtime_ns, after.st_ctime_ns) != (before.st_mtime_ns, before.st_ctime_ns)
    if changed or after.st_size != len(data):
        raise ImageDeferred("The file changed while it was read.", CHANGED_SECONDS)
    return Source(data, hashlib.sha256(data).hexdigest(), after.st_size, after.st_mtime_ns)


def _refuse_path(relative: bytes) -> None:
    if b"\0" in relative or not relative:
        raise ImageError(ImageCode.UNREADABLE, "The path is empty or holds a NUL character.")
    if relative.startswith(b"/") or b".." in relative.split(b"/"):
        raise ImageError(ImageCode.OUTSIDE_ROOT, "The path leads out of its root.")


@contextmanager
def _opened_root(root: bytes | str | Path) -> Iterator[int]:
    """A descriptor of the root, asked for first: a mount that is gone never makes its files missing."""
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        message = f"The root cannot be opened on this machine ({_reason(error)})."
        raise MountFault(message, ROOT_SECONDS) from None
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _opened(folder: int, relative: bytes) -> Iterator[int]:
    try:
        descriptor = os.open(relative, _FLAGS, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM) and _is_on_network(folder, relative):
            raise ImageDeferred(_REFUSED, REFUSED_SECONDS) from None
        raise _open_fault(error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_on_network(folder: int, relative: bytes) -> bool:
    return mounts.network_type(os.path.join(_kernel_name(folder), os.path.dirname(relative))) is not None


def _open_fault(error: OSError) -> ImageError | ImageGone | ImageDeferred:
    if error.errno in _GONE:
        return ImageGone("The file is no longer there.")
    if sentence := _FINAL.get(error.errno or 0):
        return ImageError(ImageCode.UNREADABLE, sentence)
    return _deferred(error)


def _deferred(error: OSError | MemoryError) -> ImageDeferred:
    kind = MountFault if isinstance(error, OSError) else ImageDeferred
    return kind(f"The file cannot be read just now ({_reason(error)}).", FAULT_SECONDS)


def _reason(error: OSError | MemoryError) -> str:
    return getattr(error, "strerror", None) or "out of memory"


def _refuse_file(folder: int, descriptor: int, status: os.stat_result, max_bytes: int) -> None:
    """Judge the file that was opened, not the string that named it: links and races change its meaning."""
    if not _kernel_name(descriptor).startswith(_kernel_name(folder).rstrip(b"/") + b"/"):
        raise ImageError(ImageCode.OUTSIDE_ROOT, "The file is a link that leads out of its root.")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(ImageCode.NOT_AN_IMAGE, "The path leads to a folder or a device, not to a file.")
    if status.st_size == 0:
        raise ImageError(ImageCode.EMPTY, "The file is empty.")
    if status.st_size > max_bytes:
        raise limits.too_large(status.st_size, max_bytes)


def _kernel_name(descriptor: int) -> bytes:
    """The kernel's own absolute name of an open file: every link in it is resolved."""
    if sys.platform == "darwin":
        return fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")
    return os.readlink(b"/proc/self/fd/%d" % descriptor)


def _read(descriptor: int, size: int) -> bytes:
    """All bytes, usually in one call and one buffer; a file that is shorter by now gives what there is."""
    data = os.read(descriptor, size)
    if len(data) == size:
        return data
    parts = [data]
    missing = size - len(data)
    while missing > 0 and (part := os.read(descriptor, missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
