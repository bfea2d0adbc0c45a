"""The page ``docs/reference/http.md``, from the description that the web application gives of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tagtray.web import application

Operation = Mapping[str, Any]


def operations() -> str:
    """Every route: what it is for, what it takes, what it answers."""
    described = application.bare().openapi()
    schemas = described["components"]["schemas"]
    sections = [
        _section(f"{method.upper()} {path}", operation, schemas)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    return "\n".join(sections)


def _section(name: str, operation: Operation, schemas: Mapping[str, Any]) -> str:
    text = " ".join(operation["description"].split())
    parts = [f"### `{name}`\n\n{text}\n"]
    if rows := list(_parameters(operation)):
        parts.append(_table(("parameter", "", "meaning"), rows))
    if body := _body(operation, schemas):
        parts.append(f"Takes {body}\n")
    parts.append("".join(_answers(operation, schemas)))
    return "\n".join(parts)


def _parameters(operation: Operation) -> Iterator[tuple[str, ...]]:
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        default = f"default `{schema['default']}`" if schema.get("default") not in (None, "") else ""
        yield f"`{parameter['name']}`", default or parameter["in"], parameter.get("description", "")


def _body(operation: Operation, schemas: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    for kind, media in content.items():
        if kind == "application/json":
            return (
                f"JSON:\n\n```json\n{json.dumps(_example(media['schema'], schemas), ensure_ascii=False)}\n```"
            )
    return " or ".join(f"`{kind}`" for kind in content) + "." if content else ""


def _answers(operation: Operation, schemas: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if status == "default":
            continue
        if not status.startswith("2"):
            yield f"- {status}: {answer['description']}\n"
            continue
        for kind, media in answer.get("content", {}).items():
            if kind == "application/json":
                example = json.dumps(_example(media.get("schema", {}), schemas), ensure_ascii=False, indent=1)
                yield f"Answers {status}:\n\n```json\n{example}\n```\n\n"
            else:
                yield f"Answers {status}: `{kind}`.\n\n"


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """A value of a schema: its own example, or one that is put together of those of its parts."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas)
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    if "properties" in schema:
        return {name: _example(part, schemas) for name, part in schema["properties"].items()}
    return _PLAIN.get(schema.get("format") or schema.get("type", ""), {})


_PLAIN: Mapping[str, Any] = {
    "boolean": False,
    "date-time": "2026-05-17T10:30:00Z",
    "integer": 17,
    "number": 0.5,
    "string": "...",
}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
