"""Rows that say what a photo shows: tags of a category, predictions of a class, or the best of several."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, Subquery, func, select, union_all

from tagtray.db.dialects import frequent
from tagtray.db.tables import Prediction, Tag
from tagtray.search.meaning import Meaning
from tagtray.search.words import Sense, Vocabulary


class Evidence:
    """What counts as showing something: under the current model, from these scores on."""

    def __init__(self, vocabulary: Vocabulary, meaning: Meaning) -> None:
        self._vocabulary = vocabulary
        # Bounds of the user's stand for the model's thresholds. A photo's score is the least of its words':
        # each of them has to reach a lower bound, and an upper one holds for a single word.
        alone = [len(senses) for senses in meaning.shown] == [1]
        self._bounded = bool(meaning.scores)
        self._bounds = [bound for bound in meaning.scores if alone or bound.is_lower]
        self._floor: float | None = None

    def above(self, floor: float | None) -> Evidence:
        """The same, of a score of ``floor`` at least."""
        found = copy.copy(self)
        found._floor = floor
        return found

    def rows(self, sense: Sense, looked_up: bool = False) -> Select[int, float]:
        """``content_id`` and ``score`` of the contents that show it, one row each.

        ``looked_up``: they are sought for one content after the other, never all of them.
        """
        table = Tag if sense.class_index is None else Prediction
        named = Tag.wnid == sense.wnid if table is Tag else Prediction.class_index == sense.class_index
        return select(table.content_id, table.score).where(
            # SQLite, which has no statistics, would hold it for rarer than anything else and begin with it.
            frequent(named) if looked_up else named,
            table.model_id == self._vocabulary.model_id,
            *self._enough(sense, table.score),
        )

    def _enough(self, sense: Sense, score: SQLColumnExpression[float]) -> list[ColumnElement[bool]]:
        above = [] if self._floor is None else [score >= self._floor]
        if not self._bounded:
            return [score >= self._vocabulary.threshold(sense), *above]
        return [*(bound.holds(score) for bound in self._bounds), *above]

    def any_of(self, senses: Sequence[Sense]) -> Subquery:
        """The same for contents that show at least one, with the best of its scores."""
        if len(senses) == 1:
            return self.rows(senses[0]).subquery()
        found = union_all(*map(self.rows, senses)).subquery()
        best = select(found.c.content_id, func.max(found.c.score).label("score"))
        return best.group_by(found.c.content_id).subquery()

    def best(self) -> Select[int, float]:
        """``content_id`` and ``score`` of the first label of every content."""
        return select(Prediction.content_id, Prediction.score).where(
            Prediction.model_id == self._vocabulary.model_id, Prediction.rank == 1
        )
