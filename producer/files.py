"""One file as the producer sees it: its stat, the target of a link, its end marker."""

from __future__ import annotations

import errno
import os
import stat

from tagtray.db import paths
from tagtray.db.records import SeenFile, stored_inode, stored_ns
from tagtray.imaging import filenames, mounts, sniff


class FoundFile(SeenFile):
    """A seen file that may still be written to; no program can set its ctime."""

    __slots__ = ()

    def age(self, now_ns: int) -> float:
        """Seconds since the last change by the wall clock.

        Times in the future (a camera's wrong clock, a clock set back) are ignored; 0 if both are.
        """
        past = [moment for moment in (self.mtime_ns, self.ctime_ns) if moment <= now_ns]
        return (now_ns - max(past)) / 1e9 if past else 0.0


def find(root: bytes, path: bytes) -> FoundFile | None:
    """The regular file ``path`` below ``root``; None if it is something else. Raises OSError."""
    return from_stat(root, path, os.lstat(os.path.join(root, path)))


def from_stat(root: bytes, path: bytes, info: os.stat_result) -> FoundFile | None:
    """The same for a file whose lstat is known. A link to a regular file in the root counts as that."""
    if stat.S_ISLNK(info.st_mode):
        target = _inside(root, path)
        if target is None:
            return None
        info = target
    if not stat.S_ISREG(info.st_mode):
        return None
    if not paths.fits(path):
        raise OSError(errno.ENAMETOOLONG, "its path is too long for the ledger")
    times = stored_ns(info.st_mtime_ns), stored_ns(info.st_ctime_ns)
    inode = stored_inode(info.st_ino) if mounts.keeps_inodes(root, info.st_dev) else None
    return FoundFile(path, info.st_size, *times, inode)


def is_gone(root: bytes, path: bytes) -> bool:
    """Whether no regular file is at ``path`` any more; an error that may pass is no proof."""
    try:
        return not stat.S_ISREG(os.stat(os.path.join(root, path)).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def has_end(root: bytes, path: bytes) -> bool | None:
    """Whether the file is complete to its end marker; None where its format does not tell.

    A file that cannot be opened for lack of permission is the worker's to judge: None.
    """
    try:
        descriptor = os.open(
            os.path.join(root, path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        )
    except OSError as error:
        return None if isinstance(error, PermissionError) else False
    try:
        return sniff.has_end_marker(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def leads_to(root: bytes, path: bytes) -> bytes | None:
    """The folder or file, with an image's name, outside of ``root`` that a link leads to; None for others."""
    real = os.path.realpath(os.path.join(root, path))
    if real == root or paths.is_below(real, root):
        return None
    if os.path.isdir(real):
        return real
    may_be_image = filenames.classify_name(os.path.basename(real)) is filenames.Kind.REGISTER
    return real if may_be_image and os.path.isfile(real) else None


def _inside(root: bytes, path: bytes) -> os.stat_result | None:
    real = os.path.realpath(os.path.join(root, path))
    if not paths.is_below(real, root):
        return None
    try:
        return os.lstat(real)
    except OSError:
        return None
