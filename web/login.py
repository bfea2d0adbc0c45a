"""``/login``: a browser proves the token once, and then by a cookie."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from tagtray.web import pages, tokens
from tagtray.web.context import Shared
from tagtray.web.problems import Problem

router = APIRouter(include_in_schema=False)


@router.get("/login")
def ask(request: Request, context: Shared, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """The form that asks for the token; without one it leads on."""
    if context.settings.token is None:
        return RedirectResponse(_local(next), 303)
    return pages.render(request, "login.html", next=_local(next), refused=None)


# Not in a thread: between a look at the tries and their count there is no other one.
@router.post("/login")
async def answer(
    request: Request,
    context: Shared,
    token: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Set the cookie where the token is right, and lead back to the page that was asked for."""
    right = context.settings.token
    try:
        context.attempts.check(request.scope)
    except Problem as problem:
        refused = pages.render(request, "login.html", 429, next=_local(next), refused=429)
        refused.headers.update(problem.headers or {})
        return refused
    if right is None or not tokens.is_token(token, right.get_secret_value()):
        context.attempts.failed(request.scope)
        return pages.render(request, "login.html", 401, next=_local(next), refused=401)
    response = RedirectResponse(_local(next), 303)
    tokens.set_cookie(response, right.get_secret_value(), secure=request.url.scheme == "https")
    return response


@router.post("/logout")
def leave() -> Response:
    """Forget the cookie."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(tokens.COOKIE)
    return response


def _local(place: str) -> str:
    """``place`` where it is an address on this server, else the first page."""
    parts = urlsplit(place)
    inside = (
        place.startswith("/")
        and not place.startswith(("//", "/\\"))
        and not parts.scheme
        and not parts.netloc
    )
    return place if inside and place.isprintable() else "/"
