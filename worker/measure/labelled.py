"""Photos whose class is known: by a WordNet id in their name, or by the folder that they lie in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tagtray.config.errors import UsageError
from tagtray.config.text import shown
from tagtray.imaging import sniff
from tagtray.weights.labels import LabelSet

_WNID = re.compile(r"n\d{8}(?!\d)")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A photo and the index of its class."""

    path: Path
    class_index: int


@dataclass(frozen=True, slots=True)
class Found:
    """The photos below a folder, in the order of their paths, and how many images have no class."""

    photos: tuple[Labelled, ...]
    without_class: int


def find(folder: Path, labels: LabelSet) -> Found:
    """Photos named by a WordNet id (``n02123045_1.jpg``), or in folders called after an id or a class.

    Raises UsageError where ``folder`` is none or holds no such photo.
    """
    if not folder.is_dir():
        raise UsageError(f"{shown(folder)} is no folder.")
    classes, photos, without = _Classes(labels), [], 0
    for path in _files(folder):
        index = classes.of(path.relative_to(folder))
        if index is not None:
            photos.append(Labelled(path, index))
        else:
            without += _is_image(path)
    if not photos:
        raise UsageError(
            f"No photo below {shown(folder)} names a class of this model: a name begins with a WordNet id "
            "(n02123045.jpg), or a folder is called after a class."
        )
    return Found(tuple(photos), without)


class _Classes:
    """The classes by what files and folders are called; a name that two classes have stands for neither."""

    def __init__(self, labels: LabelSet) -> None:
        self._by_wnid = {label.wnid: label.class_index for label in labels.labels if label.wnid}
        self._by_name: dict[str, int | None] = {}
        for label in labels.labels:
            name = _plain(label.name)
            self._by_name[name] = None if name in self._by_name else label.class_index

    def of(self, path: Path) -> int | None:
        """The class that the file's name says, else that of the nearest folder which says one."""
        for part in (path.name, *(folder.name for folder in path.parents)):
            found = _WNID.match(part)
            if found and found[0] in self._by_wnid:
                return self._by_wnid[found[0]]
            if part != path.name and self._by_name.get(_plain(part)) is not None:
                return self._by_name[_plain(part)]
        return None


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _is_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return sniff.sniff(file.read(sniff.HEAD_BYTES)) is not None
    except OSError:
        return False
