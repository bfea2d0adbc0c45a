"""Which of its senses a word is taken in: a category before classes, of several classes the likelier."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from tagtray.config.errors import UsageError
from tagtray.db.tables import Prediction
from tagtray.search.words import LABEL_SCORE, Sense, Vocabulary

_NEEDS_QUOTES = re.compile(r"[()|]|^-")


class Chooser:
    """Takes words in one sense, and notes where they have another one."""

    def __init__(self, connection: Connection, vocabulary: Vocabulary) -> None:
        self._connection = connection
        self._vocabulary = vocabulary
        #: Sentences on words that could mean something else.
        self.notes: list[str] = []

    def choose(self, text: str, kind: str | None) -> list[Sense]:
        """The senses of ``text``; ``kind`` is ``label``, ``category`` or None for both.

        Raises UsageError that offers near words for one that is not known.
        """
        found = [sense for sense in self._vocabulary.senses(text) if kind in (None, sense.kind)]
        if not found:
            raise self._unknown(text, kind)
        if kind is not None:
            # Who says which kind is meant may also give its very name.
            found = [sense for sense in found if sense.is_called(text)] or found
        own = [sense for sense in found if sense.is_own and sense.is_called(text)]
        chosen = own or self._taken(found)
        others = [sense for sense in found if sense not in chosen and not self._below(sense, chosen)]
        if any(sense.curated for sense in others):
            self._note(text, chosen, [sense for sense in others if sense.curated])
        return [*chosen, *self._own_below(chosen)]

    def _taken(self, found: Sequence[Sense]) -> list[Sense]:
        curated = [sense for sense in found if sense.kind == "category" and sense.curated]
        classes = [sense for sense in found if sense.kind == "label"]
        if curated or not classes:
            return curated or list(found)
        return [self._likelier(classes)] if len(classes) > 1 else classes

    def _likelier(self, classes: Sequence[Sense]) -> Sense:
        """The one that more photos show."""
        query = (
            select(Prediction.class_index, func.count())
            .where(
                Prediction.class_index.in_([sense.class_index for sense in classes]),
                Prediction.model_id == self._vocabulary.model_id,
                Prediction.score >= LABEL_SCORE,
            )
            .group_by(Prediction.class_index)
        )
        photos = dict(self._connection.execute(query).all())
        return max(classes, key=lambda sense: photos.get(sense.class_index or 0, 0))

    def _own_below(self, chosen: Sequence[Sense]) -> list[Sense]:
        """The own tags that were put below one of these."""
        own = (sense for sense in self._vocabulary.own if sense not in chosen)
        return [
            sense for sense in own if self._below(sense, [one for one in chosen if one.kind == "category"])
        ]

    def _below(self, sense: Sense, chosen: Sequence[Sense]) -> bool:
        return any(self._vocabulary.holds(category, sense) for category in chosen)

    def _note(self, text: str, chosen: Sequence[Sense], others: Sequence[Sense]) -> None:
        taken = " and ".join(sense.described for sense in chosen)
        further = ", ".join(f"{sense.described} ({self._selector(sense)})" for sense in others)
        self.notes.append(f'"{text}" is taken as {taken}; it can also mean {further}.')

    def _selector(self, sense: Sense) -> str:
        """What finds this sense and no other."""
        same = [other for other in self._vocabulary.senses(sense.name) if other.kind == sense.kind]
        unique = [other for other in same if other.is_called(sense.name)] == [sense]
        name = sense.name if unique else sense.wnid or sense.name
        # A shell would take quotes for its own, and hyphens are blanks in names.
        joined = re.sub(r"[\s'’]+", "-", name)
        return f'{sense.kind}:"{name}"' if _NEEDS_QUOTES.search(joined) else f"{sense.kind}:{joined}"

    def _unknown(self, text: str, kind: str | None) -> UsageError:
        thing = {"label": "class", "category": "category", None: "class or category"}[kind]
        others = self._vocabulary.senses(text)
        near = [
            word
            for word in self._vocabulary.near(text)
            if any(kind in (None, sense.kind) for sense in self._vocabulary.senses(word))
        ]
        hint = f"; did you mean {', '.join(near)}?" if near else "."
        if others:
            hint = f"; there is {self._selector(others[0])}."
        return UsageError(f'No {thing} is called "{text.strip()}"{hint}')
