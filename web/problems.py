"""Errors as RFC 9457 problem details: one sentence each, the same that the commands say."""

from __future__ import annotations

import http
import logging
import math
from typing import Any

import redis
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tagtray.config import logs
from tagtray.config.errors import ImageError, InfrastructureError, UsageError

MEDIA_TYPE = "application/problem+json"
#: Seconds after which a client may try again what a store or a worker that is away refused.
RETRY_SECONDS = 5

log = logging.getLogger(__name__)


class Problem(HTTPException):
    """An answer other than success; ``code`` is stable, ``detail`` the sentence.

    ``more`` are further members of the document, such as the id of an image that is kept.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after: float | None = None, **more: object
    ) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
        super().__init__(status, detail, headers)
        self.code = code
        self.more = more

    @property
    def document(self) -> dict[str, Any]:
        """The members of the problem document."""
        return document(self.status_code, self.code, self.detail) | self.more


def document(status: int, code: str, detail: str) -> dict[str, Any]:
    """The members that every problem document has."""
    title = http.HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}


def response(problem: Problem) -> JSONResponse:
    """The answer that says what is wrong."""
    headers = dict(problem.headers or {})
    return JSONResponse(problem.document, problem.status_code, headers, media_type=MEDIA_TYPE)


def unreadable(error: ImageError) -> Problem:
    """The answer for an image that cannot be classified."""
    return Problem(422, error.code.value, str(error))


def unavailable(error: Exception, code: str = "store_away") -> Problem:
    """The answer while a store is away."""
    return Problem(503, code, str(error), retry_after=RETRY_SECONDS)


def install(app: FastAPI) -> None:
    """Have ``app`` answer every error with a problem document."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UsageError, _usage)
    app.add_exception_handler(InfrastructureError, _away)
    app.add_exception_handler(redis.RedisError, _away)
    app.add_exception_handler(Exception, _unexpected)


async def _http(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, Problem):
        return response(error)
    assert isinstance(error, HTTPException)
    code, sentence = _STATUSES.get(error.status_code, ("refused", f"{error.detail}."))
    found = Problem(error.status_code, code, sentence)
    found.headers = error.headers
    return response(found)


_STATUSES = {
    404: ("not_found", "There is nothing under this address."),
    405: ("method_not_allowed", "This address does not take this method."),
}


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"] if part not in ("path", "query", "body"))
    what = f"The value of {name}" if name and first["type"] != "json_invalid" else "The body"
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return response(Problem(400, "invalid", f"{what} is not accepted: {_begun_small(message)}."))


def _begun_small(message: str) -> str:
    """A sentence as it goes on after a colon; what is written in capitals stays so."""
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]


async def _usage(_: Request, error: Exception) -> JSONResponse:
    return response(Problem(400, "invalid", str(error)))


async def _away(_: Request, error: Exception) -> JSONResponse:
    logs.event(log, logging.WARNING, "request_failed", "{error}", error=error)
    return response(unavailable(error))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    sentence = "{method} {path} failed."
    method, path = request.method, request.url.path
    logs.event(log, logging.ERROR, "request_failed", sentence, exc_info=True, method=method, path=path)
    return response(Problem(500, "unexpected", "The server met an unexpected error; its log says more."))
