"""The page ``docs/reference/http.md``, from the description that the web application gives of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tagtray.web import application, reference
from tagtray.web.reference import Operation


def operations() -> str:
    """Every route: what it is for, what it takes, what it answers."""
    return "\n".join(map(_section, reference.operations(application.bare().openapi())))


def _section(operation: Operation) -> str:
    parts = [f"### `{operation.name}`\n\n{operation.text}\n"]
    if rows := list(_parameters(operation)):
        parts.append(_table(("parameter", "", "meaning"), rows))
    if operation.takes:
        parts.append(f"Takes {_taken(operation)}\n")
    parts.append("".join(_answers(operation)))
    return "\n".join(parts)


def _parameters(operation: Operation) -> Iterator[tuple[str, ...]]:
    for parameter in operation.parameters:
        default = f"default `{parameter.default}`" if parameter.default else parameter.place
        yield f"`{parameter.name}`", default, parameter.meaning


def _taken(operation: Operation) -> str:
    for content in operation.takes:
        if content.example is not None:
            return f"JSON:\n\n{_json(content.example)}"
    return " or ".join(f"`{content.kind}`" for content in operation.takes) + "."


def _answers(operation: Operation) -> Iterator[str]:
    for answer in operation.answers:
        if not answer.status.startswith("2"):
            yield f"- {answer.status}: {answer.description}\n"
            continue
        for content in answer.contents:
            if content.example is not None:
                yield f"Answers {answer.status}:\n\n{_json(content.example, indent=1)}\n\n"
            else:
                yield f"Answers {answer.status}: `{content.kind}`.\n\n"


def _json(example: Any, indent: int | None = None) -> str:
    return f"```json\n{json.dumps(example, ensure_ascii=False, indent=indent)}\n```"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
