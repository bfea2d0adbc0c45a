"""One file of an album: a link to a photo or a copy of it, made, and removed only where nothing is lost."""

from __future__ import annotations

import os
import shutil
import stat
from enum import StrEnum

from tagtray.config.errors import TagtrayError
from tagtray.db.albums import MadeFile


class Link(StrEnum):
    """What stands in an album."""

    SYMBOLIC = "symbolic"
    HARD = "hard"
    COPY = "copy"


class AlbumError(TagtrayError):
    """A file of an album cannot be made or removed; the message is a sentence from its verb on."""


def describe(path: bytes, image_id: int, kind: Link, photo: bytes) -> MadeFile:
    """What is to be made of ``photo``; raises AlbumError where that is not there."""
    try:
        status = os.stat(photo)
    except OSError as error:
        raise AlbumError(f"cannot be made: {error.strerror}") from None
    return MadeFile(path, image_id, kind.value, status.st_size, status.st_mtime_ns)


def make(file: MadeFile, photo: bytes) -> None:
    """Make the link or the copy; raises AlbumError."""
    try:
        os.makedirs(os.path.dirname(file.path), exist_ok=True)
        match Link(file.kind):
            case Link.SYMBOLIC:
                os.symlink(photo, file.path)
            case Link.HARD:
                os.link(photo, file.path)
            case Link.COPY:
                _copy(photo, file.path)
    except OSError as error:
        raise AlbumError(f"cannot be made: {error.strerror}") from None


def stands(file: MadeFile, photo: bytes) -> bool:
    """Whether it is there and, if it is a symbolic link, leads to the photo."""
    if file.kind != Link.SYMBOLIC:
        return os.path.lexists(file.path)
    return os.path.islink(file.path) and os.readlink(file.path) == photo


def remove(file: MadeFile, photo: bytes) -> None:
    """Remove it, and its folder with the last of its files; raises AlbumError where it has to stay."""
    try:
        status = os.lstat(file.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise AlbumError(f"cannot be removed: {error.strerror}") from None
    if reason := _reason_to_keep(file, photo, status):
        raise AlbumError(f"stays: {reason}")
    try:
        os.unlink(file.path)
    except OSError as error:
        raise AlbumError(f"cannot be removed: {error.strerror}") from None
    remove_empty(os.path.dirname(file.path))


def remove_empty(folder: bytes) -> None:
    """Remove a folder if nothing is in it."""
    try:
        os.rmdir(folder)
    except OSError:
        return


def _copy(photo: bytes, path: bytes) -> None:
    draft = os.path.join(os.path.dirname(path), b".tagtray-%d" % os.getpid())
    try:
        shutil.copy2(photo, draft)
        os.rename(draft, path)
    except OSError:
        if os.path.lexists(draft):
            os.unlink(draft)
        raise


def _reason_to_keep(file: MadeFile, photo: bytes, status: os.stat_result) -> str | None:
    if file.kind == Link.SYMBOLIC:
        return None if stat.S_ISLNK(status.st_mode) else "another program has put a file there"
    if not stat.S_ISREG(status.st_mode):
        return "another program has put something else there"
    if not os.path.isfile(photo):
        return "the photo itself is gone"
    if file.kind == Link.HARD:
        return None if os.path.samestat(status, os.stat(photo)) else "the photo is not that file any more"
    same = (status.st_size, status.st_mtime_ns) == (file.size_bytes, file.mtime_ns)
    return None if same else "it was changed"
