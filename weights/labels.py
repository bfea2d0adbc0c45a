"""What the classes of a label set and the broader categories are called, and which class lies below which."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tagtray.config.errors import WeightsError
from tagtray.weights import files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL_COLUMNS = ("class_index", "wnid", "name", "name_zh", "aliases", "ancestors")
CATEGORY_COLUMNS = ("wnid", "name", "name_zh", "aliases", "curated", "everyday", "icon")
#: A classifier tells at least two classes apart.
FEWEST_CLASSES = 2

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Label:
    """A class: ``wnid`` is its WordNet 3.0 synset, None where it has none.

    ``aliases`` are further words to search by, in both languages; two classes may share one.
    """

    class_index: int
    wnid: str | None
    name: str
    name_zh: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """A WordNet ancestor of several classes.

    ``curated`` ones are worth showing and have a ``name_zh`` and an ``icon`` (an emoji); the others say
    little to a user and their ``name_zh`` may be empty. ``everyday`` ones are what most people would say
    first: dog, not canine. Names are unique; ``aliases`` are further words to search by.
    """

    wnid: str
    name: str
    name_zh: str
    aliases: tuple[str, ...]
    curated: bool
    everyday: bool
    icon: str


@dataclass(frozen=True)
class LabelSet:
    """The classes that a network tells apart, read from its files when they are first asked for.

    ``category_file`` is None where no class lies below a category. Every property raises WeightsError with
    one sentence where a file is missing or damaged.
    """

    name: str
    label_file: Path
    category_file: Path | None = None

    @functools.cached_property
    def labels(self) -> tuple[Label, ...]:
        """The classes in the order of their index."""
        found = tuple(label for label, _ in self._classes)
        if [label.class_index for label in found] != list(range(len(found))):
            raise self._damaged("its classes are not numbered 0, 1, 2 and so on")
        if len(found) < FEWEST_CLASSES:
            raise self._damaged(f"it has fewer than {FEWEST_CLASSES} classes")
        return found

    @functools.cached_property
    def categories(self) -> tuple[Category, ...]:
        """All categories, sorted by wnid."""
        if self.category_file is None:
            return ()
        return tuple(_table(self.category_file, CATEGORY_COLUMNS, _category))

    @functools.cached_property
    def closure(self) -> tuple[tuple[str, str], ...]:
        """Every pair (wnid of a class, wnid of a category above it, at any distance)."""
        pairs = tuple(
            (label.wnid, above) for label, ancestors in self._classes if label.wnid for above in ancestors
        )
        unknown = {above for _, above in pairs} - {category.wnid for category in self.categories}
        if unknown:
            raise self._damaged(f"{min(unknown)} is no category")
        return pairs

    @functools.cached_property
    def membership(self) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """The closure as a matrix for the roll-up: ``softmax (n, classes) @ matrix`` sums the member classes.

        The wnids of the C categories and a read-only (classes, C) float32 array of 0 and 1.
        """
        import numpy as np

        row = {label.wnid: label.class_index for label in self.labels}
        column = {category.wnid: j for j, category in enumerate(self.categories)}
        matrix = np.zeros((len(self.labels), len(column)), dtype=np.float32)
        for class_wnid, category_wnid in self.closure:
            matrix[row[class_wnid], column[category_wnid]] = 1
        matrix.flags.writeable = False
        return tuple(column), matrix

    @functools.cached_property
    def _classes(self) -> tuple[tuple[Label, tuple[str, ...]], ...]:
        return tuple(_table(self.label_file, LABEL_COLUMNS, _label))

    def _damaged(self, why: str) -> WeightsError:
        return WeightsError(f"{self.label_file} is damaged: {why}.")


def table(names: Sequence[str]) -> str:
    """The label file of classes that have a name and nothing else, in the order of their index."""
    rows = [LABEL_COLUMNS, *((str(index), "", name, "", "", "") for index, name in enumerate(names))]
    return "".join("\t".join(row) + "\n" for row in rows)


def _label(
    index: str, wnid: str, name: str, name_zh: str, aliases: str, ancestors: str
) -> tuple[Label, tuple[str, ...]]:
    return Label(int(index), wnid or None, name, name_zh, _words(aliases)), tuple(ancestors.split())


def _category(
    wnid: str, name: str, name_zh: str, aliases: str, curated: str, everyday: str, icon: str
) -> Category:
    return Category(wnid, name, name_zh, _words(aliases), curated == "1", everyday == "1", icon)


def _words(aliases: str) -> tuple[str, ...]:
    return tuple(aliases.split("|")) if aliases else ()


def _table(path: Path, columns: tuple[str, ...], parse: Callable[..., _Row]) -> list[_Row]:
    """Rows of a tab-separated file with this header; raises WeightsError with one sentence."""
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        if tuple(header.split("\t")) != columns:
            raise ValueError("its header is not the expected one")
        return [parse(*line.split("\t")) for line in lines]
    except OSError as error:
        raise files.unreadable(path, error) from error
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path} is damaged: it is not the table of {', '.join(columns)}.") from error
