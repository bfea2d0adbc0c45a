"""The documentation says what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tagtray.config.errors import ImageCode
from tools import generate_docs

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#]+)")
FIRST_CELL = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "name", "text"), generate_docs.PARTS, ids=[part[1] for part in generate_docs.PARTS]
)
def test_what_is_written_from_the_code_is_up_to_date(path: str, name: str, text: object) -> None:
    page = (REPOSITORY / path).read_text("utf-8")

    assert callable(text)
    assert page == generate_docs.renew(page, name, text()), "run `python -m tools.generate_docs`"


def test_every_error_code_is_documented() -> None:
    page = (REPOSITORY / "docs/reference/errors.md").read_text("utf-8")

    assert FIRST_CELL.findall(page) == list(ImageCode)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]

    assert [link for link in targets if not (page.parent / link).exists()] == []


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")

    assert re.findall(r"^## \[(\d[^]]*)\]", changelog, re.MULTILINE)[0] == project["version"]
