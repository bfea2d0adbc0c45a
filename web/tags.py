"""Labels and tags as the API gives them: which tags a short list has among them."""

from __future__ import annotations

from collections.abc import Sequence

from tagtray.db.reading.answers import Result, TagResult
from tagtray.db.reading.tag_summary import TagSummary
from tagtray.web import schemas


def labels(found: Sequence[Result]) -> list[schemas.Label]:
    """The three labels, the best first."""
    return [schemas.Label.model_validate(result) for result in found]


def tags(found: Sequence[TagResult], summary: TagSummary) -> list[schemas.Tag]:
    """All tags, the surest first; what somebody taught or said is always worth naming."""
    named = set(summary.of(tag.wnid for tag in found))
    return [
        schemas.Tag(
            category=tag.category,
            category_zh=tag.category_zh,
            wnid=tag.wnid,
            score=tag.score,
            origin=tag.origin,
            named=tag.wnid in named or tag.origin != "model",
        )
        for tag in found
    ]
