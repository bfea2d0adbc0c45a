"""The description of the API is whole: every route, with what it takes, what it answers, and examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tagtray.web import application

DESCRIBED = application.bare().openapi()
SCHEMAS = DESCRIBED["components"]["schemas"]
PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/http.md").read_text("utf-8")
#: A problem in the code: its status and its code.
_PROBLEM = re.compile(r'Problem\((\d+), "(\w+)"')


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DESCRIBED["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_of_the_design_is_described() -> None:
    names = {name for name, _ in _operations()}

    assert {
        "POST /predict",
        "GET /api/images",
        "GET /api/images/{image_id}",
        "GET /api/images/{image_id}/similar",
        "POST /api/corrections",
        "GET /api/own-tags",
        "GET /thumb/{image_id}",
        "GET /api/status",
        "GET /events",
        "GET /api/failures",
        "POST /api/retry",
        "GET /healthz",
        "GET /readyz",
    } <= names


def test_every_route_and_parameter_has_a_sentence() -> None:
    for name, operation in _operations():
        assert operation["description"].strip().endswith("."), name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])


def test_every_route_says_that_errors_are_problems() -> None:
    for name, operation in _operations():
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        assert "HTTPValidationError" not in str(operation)


def test_what_is_sent_and_what_comes_back_has_examples() -> None:
    for name in ("Prediction", "ImageItem", "ImageDetails", "FailureItem", "Problem", "Correction", "Lesson"):
        assert SCHEMAS[name]["examples"], name


def test_every_status_in_the_description_is_in_the_table() -> None:
    for name, operation in _operations():
        for status in operation["responses"]:
            assert status.startswith("2") or status == "default" or f"| {status} |" in PAGE, (name, status)


def test_every_code_of_a_problem_is_in_the_table() -> None:
    sources = (Path(__file__).resolve().parents[2] / "web").glob("*.py")
    found = {pair for source in sources for pair in _PROBLEM.findall(source.read_text("utf-8"))}

    assert len(found) > 20
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    told = {
        pair for pair in found for row in rows if row.startswith(f"| {pair[0]} |") and f"`{pair[1]}`" in row
    }
    assert found - told == set()
