"""What searching begins with: words that a query may go on with, and figures to narrow it by."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tagtray.db.access import transactions
from tagtray.web import schemas
from tagtray.web.context import Shared

#: Suggestions at most.
SUGGESTIONS = 10

router = APIRouter(prefix="/api", tags=["images"])


@router.get("/suggest", response_model=list[schemas.Suggestion])
def suggest(
    context: Shared,
    q: Annotated[str, Query(max_length=100, description="The beginning of a word.", examples=["ret"])],
) -> list[schemas.Suggestion]:
    """Labels and categories whose names begin with some letters."""
    with transactions.reading(context.engine) as connection:
        found = context.words.load(connection).completions(q, SUGGESTIONS)
    return [schemas.Suggestion.model_validate(sense) for sense in found]


@router.get("/facets", response_model=schemas.Facets)
def facets(context: Shared) -> schemas.Facets:
    """Categories and months with their photos, of copies one in categories; they may be some seconds old."""
    return context.facets.get()
