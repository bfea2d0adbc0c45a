"""The pages: templates of this package, filled in."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.templating import Jinja2Templates
from jinja2 import StrictUndefined
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from tagtray.app import standing
from tagtray.config.errors import ImageCode, InfrastructureError, UsageError
from tagtray.db.reading import queries
from tagtray.search import syntax
from tagtray.web import images, preferences, reference, texts
from tagtray.web.context import Shared
from tagtray.web.problems import Problem
from tagtray.web.schemas import ImageId, ImagePage

FOLDER = Path(__file__).parent
TEMPLATES = Jinja2Templates(FOLDER / "templates")
TEMPLATES.env.undefined = StrictUndefined
TEMPLATES.env.trim_blocks = TEMPLATES.env.lstrip_blocks = True

#: The navigation: address, name of its text and of its icon.
NAVIGATION = (
    ("/", "drop"),
    ("/gallery", "gallery"),
    ("/teach", "teach"),
    ("/failures", "failures"),
    ("/status", "status"),
)
#: Failures that the page shows.
FAILURES = 200

#: A query in the address of the gallery.
Words = Annotated[str, Query(alias="q", max_length=syntax.MAX_LENGTH)]

router = APIRouter(include_in_schema=False)


class Static(StaticFiles):
    """Style and scripts: browsers ask whether they have changed, so that an upgrade is seen at once."""

    def file_response(self, *args: object, **named: object) -> Response:
        """The file, or that it has not changed."""
        response = super().file_response(*args, **named)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def render(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page in the visitor's language and theme; what is filled in is escaped."""
    language = preferences.language(request)
    shown = {
        "navigation": NAVIGATION,
        "here": request.url.path,
        "language": language,
        "theme": preferences.theme(request),
        "t": texts.Translator(language),
        "q": "",
        "is_protected": request.app.state.context.settings.token is not None,
        **values,
    }
    response = TEMPLATES.TemplateResponse(request, template, shown, status_code=status)
    response.headers["Vary"] = "Accept-Language, Cookie"
    response.headers["Cache-Control"] = "no-cache"
    return response


def problem(request: Request, found: Problem) -> Response:
    """What went wrong, with a way back."""
    response = render(request, "problem.html", found.status_code, code=found.code, sentence=found.detail)
    response.headers.update(found.headers or {})
    return response


@router.get("/")
def drop(request: Request) -> Response:
    """Drop photos and see what they show."""
    return render(request, "drop.html")


@router.get("/gallery")
def gallery(request: Request, context: Shared, q: Words = "", cursor: str | None = None) -> Response:
    """The album; scripts fetch its photos, and without them it comes in pages."""
    page: ImagePage | None = None
    problem = None
    try:
        page = images.images(context, q, cursor=cursor)
    except (UsageError, InfrastructureError) as error:
        problem = str(error)
    return render(request, "gallery.html", q=q, page=page, problem=problem, photo=None)


@router.get("/gallery/{image_id}")
def photo(request: Request, context: Shared, image_id: ImageId, q: Words = "") -> Response:
    """One photo, over the album that it was opened from."""
    try:
        found = images.details(context, image_id)
    except Problem as problem:
        sentence = str(problem.detail)
        return render(request, "gallery.html", 404, q=q, page=None, problem=sentence, photo=None)
    return render(request, "gallery.html", q=q, page=None, problem=None, photo=found)


@router.get("/teach")
def teach(request: Request) -> Response:
    """Own tags."""
    return render(request, "teach.html")


@router.get("/failures")
def failures(request: Request, context: Shared, code: ImageCode | None = None) -> Response:
    """Images that could not be classified, and why; those of one code, if it is given."""
    found, total = queries.failures(context.engine, code, FAILURES)
    codes = queries.failure_codes(context.engine)
    return render(request, "failures.html", failures=found, total=total, codes=codes, code=code)


@router.post("/failures")
def retry(
    context: Shared,
    ids: Annotated[list[int] | None, Form()] = None,
    code: Annotated[ImageCode | None, Form()] = None,
) -> Response:
    """Try failed images again, from a form: those named, those of a code, or all."""
    context.ledger.retry(code, ids)
    return RedirectResponse("/failures", 303)


@router.get("/status")
def status(request: Request, context: Shared) -> Response:
    """How things stand."""
    return render(request, "status.html", standing=standing.look(context.settings, context.engine))


@router.get("/docs")
def docs(request: Request) -> Response:
    """The routes for programs."""
    return render(
        request,
        "docs.html",
        operations=reference.operations(request.app.openapi()),
        address=request.base_url,
        readable=functools.partial(json.dumps, ensure_ascii=False, indent=2),
    )
