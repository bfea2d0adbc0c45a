"""Errors as RFC 9457 problem details: one sentence each, the same that the commands say."""

from __future__ import annotations

import http
import logging
import math
from collections.abc import Callable
from typing import Any

import redis
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from tagtray.config import logs
from tagtray.config.errors import ImageError, InfrastructureError, UsageError

MEDIA_TYPE = "application/problem+json"
#: Seconds after which a client may try again what a store or a worker that is away refused.
RETRY_SECONDS = 5

#: Shows a problem to people.
Page = Callable[[Request, "Problem"], Response]

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


def wants_page(method: str, headers: Headers) -> bool:
    """Whether a browser asks for a page, for people to read."""
    return method == "GET" and "text/html" in headers.get("accept", "")


def install(app: FastAPI, page: Page) -> None:
    """Have ``app`` answer every error with a problem document, and browsers with ``page``."""

    def answered(error_class: type[Exception], problem_of: Callable[[Request, Exception], Problem]) -> None:
        async def answer(request: Request, error: Exception) -> Response:
            problem = problem_of(request, error)
            return (
                page(request, problem) if wants_page(request.method, request.headers) else response(problem)
            )

        app.add_exception_handler(error_class, answer)

    answered(HTTPException, _http)
    answered(RequestValidationError, _invalid)
    answered(UsageError, lambda _, error: Problem(400, "invalid", str(error)))
    answered(InfrastructureError, _away)
    answered(redis.RedisError, _away)
    answered(Exception, _unexpected)


def _http(_: Request, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    assert isinstance(error, HTTPException)
    code, sentence = _STATUSES.get(error.status_code, ("refused", f"{error.detail}."))
    found = Problem(error.status_code, code, sentence)
    found.headers = error.headers
    return found


_STATUSES = {
    404: ("not_found", "There is nothing under this address."),
    405: ("method_not_allowed", "This address does not take this method."),
}


def _invalid(_: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"] if part not in ("path", "query", "body"))
    what = f"The value of {name}" if name and first["type"] != "json_invalid" else "The body"
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return Problem(400, "invalid", f"{what} is not accepted: {_begun_small(message)}.")


def _begun_small(message: str) -> str:
    """A sentence as it goes on after a colon; what is written in capitals stays so."""
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]


def _away(_: Request, error: Exception) -> Problem:
    logs.event(log, logging.WARNING, "request_failed", "{error}", error=error)
    return unavailable(error)


def _unexpected(request: Request, error: Exception) -> Problem:
    sentence = "{method} {path} failed."
    method, path = request.method, request.url.path
    logs.event(log, logging.ERROR, "request_failed", sentence, exc_info=True, method=method, path=path)
    return Problem(500, "unexpected", "The server met an unexpected error; its log says more.")
