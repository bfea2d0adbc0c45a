"""The pages: templates of this package, filled in."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.templating import Jinja2Templates
from starlette.responses import Response

FOLDER = Path(__file__).parent
TEMPLATES = Jinja2Templates(FOLDER / "templates")

#: The navigation: address, name.
NAVIGATION = (
    ("/", "Drop"),
    ("/gallery", "Gallery"),
    ("/teach", "Teach"),
    ("/failures", "Failures"),
    ("/status", "Status"),
)

router = APIRouter(include_in_schema=False)


def render(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page; what is filled in is escaped."""
    shown = {"navigation": NAVIGATION, "here": request.url.path, **values}
    return TEMPLATES.TemplateResponse(request, template, shown, status_code=status)


@router.get("/")
def drop(request: Request) -> Response:
    """Drop photos and see what they show."""
    return render(request, "drop.html")
