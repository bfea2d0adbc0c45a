"""The description of the API: what FastAPI gathers, without what it assumes of errors."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

#: What FastAPI says of requests that are not accepted; ours are problem documents with the status 400.
_ASSUMED = ("HTTPValidationError", "ValidationError")
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def install(app: FastAPI) -> None:
    """Have ``app`` describe itself so; the description is made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for operations in found["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            if "HTTPValidationError" in str(answers.get("422")):
                del answers["422"]
            for status, answer in answers.items():
                if "Problem" in str(answer.get("content")) and not status.startswith("2"):
                    answer["content"] = _PROBLEM
    for name in _ASSUMED:
        found["components"]["schemas"].pop(name, None)
    return found
