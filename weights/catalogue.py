"""What the 1,000 classes and the broader categories are called, and which class lies below which category."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tagtray.config.errors import WeightsError
from tagtray.weights import FOLDER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The one label set that ships: ILSVRC 2012, index = rank of the wnid in sorted order, as in torchvision.
IMAGENET_1K = "imagenet-1k"

LABELS = "labels.tsv"
LABEL_COLUMNS = ("class_index", "wnid", "name", "name_zh", "ancestors")
CATEGORIES = "categories.tsv"
CATEGORY_COLUMNS = ("wnid", "name", "name_zh", "aliases", "curated")

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Label:
    """A class: ``wnid`` is its WordNet 3.0 synset, ``name`` torchvision's word for it."""

    class_index: int
    wnid: str
    name: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class Category:
    """A WordNet ancestor of 2 to 400 classes.

    ``curated`` ones are worth showing and have a ``name_zh``; the others say little to a user and their
    ``name_zh`` may be empty. Names are unique; ``aliases`` are further words to search by.
    """

    wnid: str
    name: str
    name_zh: str
    aliases: tuple[str, ...]
    curated: bool


@functools.cache
def labels(label_set: str = IMAGENET_1K, folder: Path = FOLDER) -> tuple[Label, ...]:
    """The classes in the order of their index; raises WeightsError for an unknown set or a damaged file."""
    if label_set != IMAGENET_1K:
        raise WeightsError(f"There is no label set {label_set!r}; there is {IMAGENET_1K!r}.")
    found = tuple(label for label, _ in _classes(folder))
    if [label.class_index for label in found] != list(range(len(found))):
        raise WeightsError(f"{folder / LABELS} is damaged: its classes are not numbered 0, 1, 2 and so on.")
    return found


@functools.cache
def categories(folder: Path = FOLDER) -> tuple[Category, ...]:
    """All categories, sorted by wnid; raises WeightsError where the file is missing or damaged."""
    return tuple(_table(folder / CATEGORIES, CATEGORY_COLUMNS, _category))


@functools.cache
def closure(folder: Path = FOLDER) -> tuple[tuple[str, str], ...]:
    """Every pair (wnid of a class, wnid of a category above it, at any distance).

    Raises WeightsError where a file is missing or damaged, or names a category that does not exist.
    """
    pairs = tuple((label.wnid, above) for label, ancestors in _classes(folder) for above in ancestors)
    unknown = {above for _, above in pairs} - {category.wnid for category in categories(folder)}
    if unknown:
        raise WeightsError(f"{folder / LABELS} is damaged: {min(unknown)} is not in {CATEGORIES}.")
    return pairs


@functools.cache
def membership(folder: Path = FOLDER) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The closure as a matrix for the roll-up: ``softmax (B, 1000) @ matrix`` sums the member classes.

    Returns the wnids of the C categories and a read-only (1000, C) float32 array of 0 and 1.
    """
    import numpy as np

    row = {label.wnid: label.class_index for label in labels(folder=folder)}
    column = {category.wnid: j for j, category in enumerate(categories(folder))}
    matrix = np.zeros((len(row), len(column)), dtype=np.float32)
    for class_wnid, category_wnid in closure(folder):
        matrix[row[class_wnid], column[category_wnid]] = 1
    matrix.flags.writeable = False
    return tuple(column), matrix


@functools.cache
def _classes(folder: Path) -> tuple[tuple[Label, tuple[str, ...]], ...]:
    return tuple(_table(folder / LABELS, LABEL_COLUMNS, _label))


def _label(index: str, wnid: str, name: str, name_zh: str, ancestors: str) -> tuple[Label, tuple[str, ...]]:
    return Label(int(index), wnid, name, name_zh), tuple(ancestors.split())


def _category(wnid: str, name: str, name_zh: str, aliases: str, curated: str) -> Category:
    words = tuple(aliases.split("|")) if aliases else ()
    return Category(wnid, name, name_zh, words, bool(int(curated)))


def _table(path: Path, columns: tuple[str, ...], parse: Callable[..., _Row]) -> list[_Row]:
    """Rows of a tab-separated file with this header; raises WeightsError with one sentence."""
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        if tuple(header.split("\t")) != columns:
            raise ValueError("its header is not the expected one")
        return [parse(*line.split("\t")) for line in lines]
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path} is damaged: it is not the table of {', '.join(columns)}.") from error
