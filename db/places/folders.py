"""Folders as the kernel knows them: links, bind mounts and letter case lead to one place."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tagtray.db.paths import is_below

#: The mounts of this process: where each lies, and which part of which file system it shows (proc(5)).
MOUNTINFO = "/proc/self/mountinfo"

_ESCAPE = re.compile(rb"\\([0-7]{3})")


def real(folder: Path | bytes) -> bytes:
    """The absolute path of ``folder`` without links, each component spelled as its file system has it."""
    path = b"/"
    for name in os.path.realpath(os.fsencode(folder)).strip(b"/").split(b"/"):
        path = os.path.join(path, _spelling(path, name))
    return path.rstrip(b"/") or b"/"


def relative(path: bytes, folder: bytes) -> bytes | None:
    """The name of ``path`` in ``folder`` (both absolute and real), empty for the same; None outside of it.

    A bind mount of a folder, or of one in it, counts as that folder.
    """
    if path == folder:
        return b""
    if is_below(path, folder):
        return path[len(folder.rstrip(b"/")) + 1 :]
    (device, inside), (other, outer) = _location(path), _location(folder)
    if device is None or device != other:
        return None
    if inside == outer:
        return b""
    return inside[len(outer.rstrip(b"/")) + 1 :] if is_below(inside, outer) else None


def is_gone(folder: bytes) -> bool:
    """Whether there is no such folder, or an empty one: the mount point of a disk that is not mounted."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _spelling(parent: bytes, name: bytes) -> bytes:
    """``name`` as ``parent`` lists it, where its file system ignores letter case or Unicode forms."""
    swapped = name.swapcase()
    if name.isascii() and (swapped == name or not _is_same(parent, name, swapped)):
        return name
    try:
        names = os.listdir(parent)
    except OSError:
        return name
    if name in names:
        return name
    alike = (other for other in names if not other.isascii() or other.lower() == name.lower())
    return next((other for other in alike if _is_same(parent, name, other)), name)


def _is_same(parent: bytes, one: bytes, other: bytes) -> bool:
    try:
        return os.path.samestat(os.lstat(os.path.join(parent, one)), os.lstat(os.path.join(parent, other)))
    except OSError:
        return False


def _location(path: bytes) -> tuple[bytes | None, bytes]:
    """The file system that holds ``path`` (its device number) and the path in that file system."""
    best, device, shown = b"", None, b"/"
    try:
        with open(MOUNTINFO, "rb") as table:
            for line in table:
                fields = line.split(b" ")
                place = _unescaped(fields[4])
                # A later mount on the same place hides the earlier one.
                if len(place) >= len(best) and (path == place or is_below(path, place)):
                    best, device, shown = place, fields[2], _unescaped(fields[3])
    except OSError:
        return None, path
    return device, os.path.join(shown, path[len(best) :].strip(b"/")).rstrip(b"/") or b"/"


def _unescaped(field: bytes) -> bytes:
    return _ESCAPE.sub(lambda octal: bytes([int(octal[1], 8)]), field)
