"""How often a model is right: first labels, and the tags that are shown, against photos of known classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagtray.weights.model import Model, Thresholds

#: Share of shown tags that is to be right.
WANTED = 0.9
#: Thresholds that are tried.
CANDIDATES = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
#: Scores from which first labels are counted.
SHOWN = (0.5, 0.7, 0.9)
#: Tags of a category from which a threshold of its own is proposed: of fewer, one wrong one decides.
EVIDENCE = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said of n photos whose classes are known.

    ``truth`` (n,) int64 classes; ``top_index`` (n, 3) int64, best first; ``top_score`` (n, 3) float32;
    ``tag_scores`` (n, C) float32 by category in the order of ``LabelSet.membership``.
    """

    truth: NDArray[np.int64]
    top_index: NDArray[np.int64]
    top_score: NDArray[np.float32]
    tag_scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Band:
    """Tags, or first labels, of a score >= ``min_score``.

    Of those ``shown``, ``right`` are right; ``true`` are all that could be; ``photos`` have one.
    """

    min_score: float
    shown: int
    right: int
    true: int
    photos: int

    @property
    def precision(self) -> float | None:
        """Share of what is shown that is right; None where nothing is."""
        return self.right / self.shown if self.shown else None

    @property
    def recall(self) -> float | None:
        """Share of what is true that is shown; None where nothing is."""
        return self.right / self.true if self.true else None


@dataclass(frozen=True, slots=True)
class CategoryReport:
    """A curated category: ``now``, at its threshold, and the one that is proposed; None: too few tags."""

    wnid: str
    name: str
    now: Band
    proposed: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """How good a model is on ``photos`` labelled photos.

    ``tags`` are the curated ones that are shown, ``bands`` the same from other scores on, one for all
    categories; ``taggable`` photos show something that has a curated category. ``labels`` are first labels by
    their score.
    """

    photos: int
    top1: int
    top3: int
    taggable: int
    labels: tuple[Band, ...]
    tags: Band
    bands: tuple[Band, ...]
    categories: tuple[CategoryReport, ...]
    proposed: Thresholds


def report(model: Model, answers: Answers) -> Report:
    """Count what was right."""
    curated = {category.wnid: category for category in model.labels.categories if category.curated}
    wnids, matrix = model.labels.membership
    columns = [column for column, wnid in enumerate(wnids) if wnid in curated]
    scores, true = answers.tag_scores[:, columns], matrix[answers.truth][:, columns] > 0
    names = [wnids[column] for column in columns]
    thresholds = _thresholds(model.thresholds, names)
    first = answers.top_index[:, :1] == answers.truth[:, None]
    bands = tuple(_band(scores, true, least) for least in CANDIDATES)
    categories = tuple(
        CategoryReport(
            wnid,
            curated[wnid].name,
            _band(scores[:, [at]], true[:, [at]], float(thresholds[at])),
            _proposed(scores[:, [at]], true[:, [at]]),
        )
        for at, wnid in enumerate(names)
    )
    return Report(
        photos=len(answers.truth),
        top1=int(first.sum()),
        top3=int((answers.top_index == answers.truth[:, None]).any(axis=1).sum()),
        taggable=int(true.any(axis=1).sum()),
        labels=tuple(_band(answers.top_score[:, :1], first, least, everywhere=True) for least in SHOWN),
        tags=_band(scores, true, thresholds),
        bands=bands,
        categories=tuple(sorted(categories, key=lambda one: (-one.now.true, one.name))),
        proposed=_together(model.thresholds, bands, categories),
    )


def _thresholds(chosen: Thresholds, wnids: list[str]) -> NDArray[np.float32]:
    return np.array([chosen.categories.get(wnid, chosen.overall) for wnid in wnids], np.float32)


def _band(
    scores: NDArray[np.float32],
    true: NDArray[np.bool_],
    least: float | NDArray[np.float32],
    everywhere: bool = False,
) -> Band:
    """``everywhere``: each photo has something true, whether it was the first answer or not."""
    shown = scores >= np.float32(least)
    return Band(
        min_score=float(np.min(least, initial=1.0)),
        shown=int(shown.sum()),
        right=int((shown & true).sum()),
        true=len(true) if everywhere else int(true.sum()),
        photos=int(shown.any(axis=1).sum()),
    )


def _proposed(scores: NDArray[np.float32], true: NDArray[np.bool_]) -> float | None:
    """The least threshold from which enough tags are shown and WANTED of them are right."""
    for least in CANDIDATES:
        found = _band(scores, true, least)
        if found.shown >= EVIDENCE and found.right >= WANTED * found.shown:
            return least
    return None


def _together(now: Thresholds, bands: tuple[Band, ...], categories: tuple[CategoryReport, ...]) -> Thresholds:
    """One threshold for all from which WANTED of the tags are right, and those of categories that differ."""
    good = (band.min_score for band in bands if band.shown and band.right >= WANTED * band.shown)
    overall = next(good, now.overall)
    own: Mapping[str, float] = {
        one.wnid: one.proposed for one in categories if one.proposed is not None and one.proposed != overall
    }
    return Thresholds(overall, own)
