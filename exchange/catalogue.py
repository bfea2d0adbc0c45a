"""The words of the current model: its classes and categories, and the scores from which tags are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from tagtray.db import current_model
from tagtray.db.tables import Category, Label, Model, Threshold
from tagtray.exchange import lines


class Names(NamedTuple):
    """What a class or a category is called."""

    wnid: str | None
    name: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Of one model: classes by number, categories by wnid, and the scores from which these are shown."""

    model_id: int
    model: lines.Model
    labels: Mapping[int, Names]
    categories: Mapping[str, Names]
    limits: Mapping[str, float]

    @classmethod
    def load(cls, connection: Connection, model_id: int | None = None) -> Catalogue:
        """That of a model, of the current one unless it is named.

        Raises InfrastructureError where there is none.
        """
        if model_id is None:
            model_id = current_model.required_by(connection).id
        query = select(Model.id, Model.label_set, Model.name, Model.weights_sha256)
        row = connection.execute(query.where(Model.id == model_id)).one()
        label = select(Label.class_index, Label.wnid, Label.name, Label.name_zh)
        labels = connection.execute(label.where(Label.label_set == row.label_set))
        categories = connection.execute(
            select(Category.wnid, Category.name, Category.name_zh, Category.curated)
        ).all()
        scores = select(Threshold.wnid, Threshold.score).where(Threshold.model_id == row.id)
        thresholds = dict(connection.execute(scores).all())
        return cls(
            row.id,
            lines.Model(row.name, row.weights_sha256),
            {index: Names(wnid, name, name_zh) for index, wnid, name, name_zh in labels},
            {wnid: Names(wnid, name, name_zh) for wnid, name, name_zh, _ in categories},
            {wnid: _limit(wnid, curated, thresholds) for wnid, *_, curated in categories},
        )

    def names(self, index: int) -> Names:
        """What a class is called; its number where the label set has lost it."""
        return self.labels.get(index) or Names(None, str(index), "")

    def shows(self, wnid: str, score: float) -> bool:
        """Whether the view ``image_tags`` has a tag of this score."""
        return score >= self.limits[wnid]


def _limit(wnid: str, curated: bool, thresholds: Mapping[str, float]) -> float:
    return thresholds.get(wnid, thresholds.get("", math.inf)) if curated else math.inf
