"""Files that a manifest vouches for: name, size and SHA-256."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tagtray.config.errors import WeightsError

#: Bytes read at a time while hashing; more is not faster.
CHUNK = 1 << 20

#: A bare file name: no folder, no way out of this one.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a folder: its name, its size in bytes and the hex SHA-256 of its content."""

    name: FileName
    bytes: Annotated[int, Field(ge=1)]
    sha256: Sha256


def digest(source: Path) -> FileEntry:
    """Measure a file, streaming; raises OSError."""
    sha256 = hashlib.sha256()
    with source.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha256.update(chunk)
        return FileEntry(source.name, stream.tell(), sha256.hexdigest())


def verify(expected: FileEntry, folder: Path) -> None:
    """Compare a file with its size and SHA-256.

    Raises WeightsError with one sentence where it is missing, unreadable or changed.
    """
    source = folder / expected.name
    try:
        size = os.stat(source).st_size
        if size != expected.bytes:
            raise WeightsError(f"{source} is damaged: it has {size} bytes instead of {expected.bytes}.")
        found = digest(source)
    except OSError as error:
        raise unreadable(source, error) from error
    if found.sha256 != expected.sha256:
        raise WeightsError(f"{source} is damaged: its SHA-256 is not the one that its manifest says.")


def unreadable(source: Path, error: OSError) -> WeightsError:
    """What to say of a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return WeightsError(f"{source} is missing.")
    return WeightsError(f"{source} cannot be read: {error.strerror}.")
