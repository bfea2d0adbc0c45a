"""How things stand: states, queue, workers, speed, failures, and signs of life."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select

from tagtray.app import standing
from tagtray.config.errors import ImageCode, InfrastructureError
from tagtray.db.access.transactions import read
from tagtray.db.reading import queries
from tagtray.web import schemas
from tagtray.web.context import Context, Shared
from tagtray.web.problems import Problem

#: Failures of a page unless said otherwise, and at most.
PAGE, MAX_PAGE = 100, 1_000

router = APIRouter(tags=["status"])


@router.get("/api/status", response_model=schemas.StatusAnswer)
def status(context: Shared) -> dict[str, Any]:
    """States of the ledger, the queue, the workers and the speed: as `tagtray status --json`."""
    return standing.look(context.settings, context.engine)


@router.get("/api/failures", response_model=schemas.Failures)
def failures(
    context: Shared,
    code: Annotated[ImageCode | None, Query(description="Only those with this code.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Failures at most.")] = PAGE,
) -> schemas.Failures:
    """Images that could not be classified, the latest first."""
    found, total = queries.failures(context.engine, code, limit)
    items = [schemas.FailureItem.model_validate(failure) for failure in found]
    return schemas.Failures(total=total, items=items)


@router.post("/api/retry", response_model=schemas.Retried)
def retry(context: Shared, wanted: schemas.RetryRequest) -> schemas.Retried:
    """Try failed images again: all, those of a code, or those named."""
    if wanted.code is not None and wanted.code not in list(ImageCode):
        raise Problem(400, "invalid", f"There is no error code {wanted.code!r}.")
    if wanted.force and (wanted.ids is None or wanted.code is not None):
        raise Problem(400, "invalid", "force goes with ids, and without a code.")
    return schemas.Retried(images=context.ledger.retry(wanted.code, wanted.ids, done=wanted.force))


@router.get("/healthz", include_in_schema=True)
async def healthz() -> dict[str, str]:
    """Whether the server answers at all."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": schemas.Problem, "description": "What is missing."}})
def readyz(context: Shared) -> dict[str, str]:
    """Whether a photo that is sent now would be classified: database, Redis and a worker are there."""
    read(context.engine, lambda connection: connection.execute(select(1)).all())
    found = standing.look_at_redis(context.settings)
    if not found["running"]:
        raise Problem(503, "store_away", f"Redis: {found['answer']}.", retry_after=5)
    if not context.classifier.count_workers():
        raise Problem(503, "no_worker", "No worker runs.", retry_after=5)
    return {"status": "ready"}


def brief(context: Context) -> dict[str, Any]:
    """What pages show all the time; ``problem`` is a sentence on what is wrong, None where nothing is."""
    try:
        active = context.ledger.counts(active=True)
        rate = round(queries.classified(context.engine, standing.WINDOW) / standing.WINDOW, 2)
        workers = context.classifier.count_workers()
    except InfrastructureError as error:
        return {"problem": str(error), "code": "store_away"}
    told = {"active": active, "images_per_second": rate, "workers": workers}
    if not workers:
        return {**told, "problem": "No worker runs; what is added waits.", "code": "no_worker"}
    return {**told, "problem": None, "code": None}
