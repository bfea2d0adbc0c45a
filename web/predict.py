"""``POST /predict``: what photos show."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from tagtray.config.errors import InfrastructureError
from tagtray.db.audit import Entry
from tagtray.web import problems, schemas
from tagtray.web.classify import Answer
from tagtray.web.context import Context, Shared
from tagtray.web.problems import Problem
from tagtray.web.receiving import FIELD, Receiver, Upload

router = APIRouter(tags=["predict"])

_FILE = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {"type": "array", "items": _FILE, "description": "One photo, or several."}
                },
            }
        },
        "image/*": {"schema": _FILE},
    },
}


@router.post(
    "/predict",
    response_model=schemas.Prediction | schemas.Predictions,
    openapi_extra={"requestBody": _BODY},
    responses={
        status: {"model": schemas.Problem, "description": text}
        for status, text in {
            400: "No file, or a broken form.",
            408: "The files did not arrive in time.",
            413: "A file, or the form, is too large.",
            422: "The file is no image that can be read.",
            429: "Too many requests send files just now.",
            503: "No worker runs, or a store is away; the photo is kept and classified later.",
            504: "The photo was not classified in time; the work goes on.",
        }.items()
    },
)
async def predict(request: Request, context: Shared) -> JSONResponse:
    """Classify a photo: a form's field `file`, or the body itself.

    Several files are answered together, each with its result or its problem.
    """
    call = _Call(request, context)
    try:
        with context.places.taken(), Receiver(context.settings, context.classifier.arriving) as receiver:
            uploads = await receiver.receive(request)
            found = await asyncio.gather(*(call.classify(upload) for upload in uploads))
    except Problem as problem:
        call.note(None, problem.code)
        raise
    if len(found) > 1:
        items = [item.document if isinstance(item, Problem) else _shown(item) for item in found]
        return JSONResponse({"items": items})
    if isinstance(found[0], Problem):
        raise found[0]
    return JSONResponse(_shown(found[0]))


class _Call:
    """One request, as the audit table has it."""

    def __init__(self, request: Request, context: Context) -> None:
        self._context = context
        self._at = datetime.now(UTC)
        self._began = time.perf_counter()
        self._client = request.client.host if request.client else ""
        self._agent = request.headers.get("user-agent", "")

    async def classify(self, upload: Upload) -> Answer | Problem:
        """What an upload shows, or why nobody can say."""
        try:
            answer = await self._context.classifier.classify(upload)
        except (Problem, InfrastructureError) as error:
            problem = error if isinstance(error, Problem) else problems.unavailable(error)
            self.note(upload.sha256, problem.code)
            return problem
        self.note(upload.sha256, "cached" if answer.cached else "done")
        return answer

    def note(self, sha256: str | None, outcome: str) -> None:
        """Leave a row in the audit table."""
        spent = round(1000 * (time.perf_counter() - self._began))
        entry = Entry(self._at, self._client, self._agent, sha256, outcome, spent)
        self._context.auditor.note(entry)


def _shown(answer: Answer) -> dict[str, Any]:
    return {
        "sha256": answer.sha256,
        "image": answer.image_id,
        "results": [dataclasses.asdict(result) for result in answer.shown.results],
        "tags": [tag.model_dump() for tag in answer.shown.tags],
        "cached": answer.cached,
    }
