"""What a word can mean: the classes and categories of the current model, by name, alias, wnid and plural."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, select

from tagtray.config.text import plain
from tagtray.db import current_model
from tagtray.db.tables import OWN, Category, Label, LabelCategory, Threshold

#: A class counts from this score on; categories have thresholds of their own.
LABEL_SCORE = 0.1
#: Near words that are offered for an unknown one, and how near they are (0 to 1).
SUGGESTIONS, NEARNESS = 4, 0.6

#: Endings of plurals and what stands for them in the singular, tried in this order.
_PLURALS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""))


@dataclass(frozen=True, slots=True)
class Sense:
    """A class (``class_index``) or a category (``class_index`` None) that a word can mean."""

    name: str
    name_zh: str
    wnid: str | None
    class_index: int | None
    curated: bool = True

    @property
    def kind(self) -> Literal["label", "category"]:
        """Whether it is a class or a category."""
        return "category" if self.class_index is None else "label"

    @property
    def is_own(self) -> bool:
        """Whether people taught it."""
        return (self.wnid or "").startswith(OWN)

    @property
    def described(self) -> str:
        """Its names for people."""
        return f"{self.name} {self.name_zh}".strip()

    def is_called(self, text: str) -> bool:
        """Whether ``text`` is its very name or wnid, not another word for it."""
        return plain(text) in {plain(name) for name in (self.name, self.name_zh, self.wnid) if name}


@dataclass(slots=True)
class Vocabulary:
    """All words of the current model, and the scores from which its tags are shown."""

    model_id: int
    label_set: str
    thresholds: dict[str, float]
    own: list[Sense] = field(default_factory=list)
    _senses: dict[str, list[Sense]] = field(default_factory=dict)
    _members: dict[str, set[str]] = field(default_factory=dict)

    def senses(self, text: str) -> list[Sense]:
        """What the word can mean: curated categories, classes, other categories; nothing if it is unknown."""
        return next((self._senses[word] for word in _forms(text) if word in self._senses), [])

    def holds(self, category: Sense, sense: Sense) -> bool:
        """Whether every class of ``sense`` lies below ``category``."""
        return self._classes(sense) <= self._members.get(category.wnid or "", set())

    def above(self, sense: Sense) -> list[Sense]:
        """The curated categories that hold a sense, the narrowest first."""
        known = dict.fromkeys(itertools.chain.from_iterable(self._senses.values()))
        found = (other for other in known if other.kind == "category" and other.curated)
        return sorted(
            (category for category in found if self.holds(category, sense)),
            key=lambda category: len(self._classes(category)),
        )

    def threshold(self, sense: Sense) -> float:
        """The score from which a photo shows it."""
        if sense.kind == "label":
            return LABEL_SCORE
        return self.thresholds.get(sense.wnid or "", self.thresholds.get("", 0.0))

    def near(self, text: str) -> list[str]:
        """Known words that are spelled like ``text``, the nearest first."""
        word = plain(text)
        names = [name for name, senses in self._senses.items() if all(name != one.wnid for one in senses)]
        parts = [known for known in names if len(word) > 1 and word in known.split()]
        found = difflib.get_close_matches(word, names, SUGGESTIONS, NEARNESS)
        return list(dict.fromkeys([*found, *sorted(parts, key=len)]))[:SUGGESTIONS]

    def completions(self, text: str, limit: int) -> list[Sense]:
        """What names with a word that begins with ``text`` can mean, each sense once.

        Names that begin with it come first, categories before classes, short ones before long ones.
        """
        word = plain(text)
        ranked = sorted(
            (not name.startswith(word), sense.kind, len(name), name, place)
            for name, senses in self._senses.items()
            if word and f" {word}" in f" {name}"
            for place, sense in enumerate(senses)
            if sense.curated
        )
        found = dict.fromkeys(self._senses[name][place] for *_, name, place in ranked)
        return list(itertools.islice(found, limit))

    def _classes(self, sense: Sense) -> set[str]:
        return {sense.wnid or ""} if sense.kind == "label" else self._members.get(sense.wnid or "", {""})

    def add(self, sense: Sense, words: Iterable[str]) -> None:
        """Let ``words`` mean ``sense``, too."""
        for word in dict.fromkeys(plain(word) for word in words if word):
            self._senses.setdefault(word, []).append(sense)


def load(connection: Connection) -> Vocabulary:
    """The vocabulary of the current model; raises InfrastructureError where there is none."""
    model = current_model.required_by(connection)
    scores = select(Threshold.wnid, Threshold.score).where(Threshold.model_id == model.id)
    found = Vocabulary(model.id, model.label_set, dict(connection.execute(scores).all()))
    categories = connection.execute(select(Category.__table__).order_by(Category.wnid)).all()
    for row in (row for row in categories if row.curated):
        sense = Sense(row.name, row.name_zh, row.wnid, None)
        found.add(sense, _words(row))
        found.own += [sense] if sense.is_own else []
    labels = select(Label.__table__).where(Label.label_set == model.label_set).order_by(Label.class_index)
    for row in connection.execute(labels):
        found.add(Sense(row.name, row.name_zh, row.wnid, row.class_index), _words(row))
    for row in (row for row in categories if not row.curated):
        found.add(Sense(row.name, row.name_zh, row.wnid, None, curated=False), _words(row))
    for below, above in connection.execute(select(LabelCategory.class_wnid, LabelCategory.category_wnid)):
        found._members.setdefault(above, set()).add(below)
    return found


def _words(row: Any) -> list[str]:
    return [row.name, row.name_zh, row.wnid or "", *row.aliases.split("|")]


def _forms(text: str) -> Iterator[str]:
    """The word as it is written, then what it may be the plural of."""
    word = plain(text)
    yield word
    for plural, singular in _PLURALS:
        if word.endswith(plural) and len(word) > len(plural) + 1:
            yield word.removesuffix(plural) + singular
