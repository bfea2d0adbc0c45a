"""``/events``: server-sent events of images that ended, and of how things stand."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from tagtray.web import schemas, standing
from tagtray.web.context import Context, Shared
from tagtray.web.problems import Problem

#: Browsers that follow at once.
MOST = 64
#: Seconds between two words on how things stand.
STATUS_SECONDS = 2.0
#: Ids of one event at most: a page that shows more looks again anyway.
IDS = 200

router = APIRouter(tags=["status"])


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": 'event: ended\ndata: {"images": [17, 18]}\n\n'}}},
        503: {"model": schemas.Problem, "description": "Too many follow already."},
    },
)
async def events(context: Shared) -> StreamingResponse:
    """Server-sent events: `ended` with the ids of images that ended, `status` every two seconds."""
    if context.live.followers >= MOST:
        raise Problem(503, "busy", f"{MOST} browsers follow already.", retry_after=10)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(context), media_type="text/event-stream", headers=headers)


async def _stream(context: Context) -> AsyncIterator[str]:
    yield f"retry: {1000 * int(STATUS_SECONDS)}\n\n"
    yield _event("status", await run_in_threadpool(standing.brief, context))
    told = time.monotonic()
    async for image_ids in context.live.follow(STATUS_SECONDS):
        if image_ids:
            yield _event("ended", {"images": list(image_ids[:IDS])})
        if time.monotonic() >= told + STATUS_SECONDS:
            yield _event("status", await run_in_threadpool(standing.brief, context))
            told = time.monotonic()


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
