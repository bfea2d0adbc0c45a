"""Language and theme of the pages: what a visitor chose, else what the browser asks for."""

from __future__ import annotations

from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from tagtray.web import texts
from tagtray.web.texts import Language

#: Cookies, and the seconds that they are kept.
LANGUAGE, THEME, SECONDS = "tagtray_language", "tagtray_theme", 365 * 86_400

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)

router = APIRouter(include_in_schema=False)


def language(request: Request) -> Language:
    """The chosen language, else the first that the browser names and the pages have."""
    chosen = request.cookies.get(LANGUAGE)
    if chosen in texts.LANGUAGES:
        return chosen
    return accepted(request.headers.get("accept-language", ""))


def theme(request: Request) -> Theme | None:
    """The chosen theme; None: that of the system."""
    chosen = request.cookies.get(THEME)
    return next((theme for theme in THEMES if theme == chosen), None)


def accepted(header: str) -> Language:
    """The language that an Accept-Language header wants most; English where it names none of ours."""
    wanted: list[tuple[float, Language]] = []
    for part in header.split(","):
        name, _, weight = part.partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        code = name.strip().lower().partition("-")[0]
        wanted += [(quality, known) for known in texts.LANGUAGES if known == code and quality > 0]
    return max(wanted, key=lambda item: item[0], default=(0, "en"))[1]


@router.post("/preferences")
def choose(
    request: Request,
    language: Annotated[Language | None, Form()] = None,
    theme: Annotated[Theme | None, Form()] = None,
) -> Response:
    """Keep a choice in a cookie, and lead back to the page where it was made."""
    response = RedirectResponse(_page(request), 303)
    for name, value in ((LANGUAGE, language), (THEME, theme)):
        if value is not None:
            secure = request.url.scheme == "https"
            response.set_cookie(name, value, SECONDS, httponly=True, samesite="lax", secure=secure)
    return response


def _page(request: Request) -> str:
    """Path and query of the page that a form was sent from; forms come from our own pages alone."""
    parts = urlsplit(request.headers.get("referer", ""))
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path
