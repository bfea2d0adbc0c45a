"""The routes for people, from the description that the application gives of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_Schemas = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; ``default`` is None where it has none, ``place`` is ``path`` or ``query``."""

    name: str
    place: str
    default: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent or answered: its media type, and an example of what is JSON."""

    kind: str
    example: Any | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a status means; ``contents`` are those of a success."""

    status: str
    description: str
    contents: Sequence[Content]


@dataclass(frozen=True, slots=True)
class Operation:
    """A route: what it is for, what it takes, what it answers."""

    name: str
    text: str
    parameters: Sequence[Parameter]
    takes: Sequence[Content]
    answers: Sequence[Answer]


def operations(described: Mapping[str, Any]) -> list[Operation]:
    """All routes of an OpenAPI document, in its order."""
    schemas = described["components"]["schemas"]
    return [
        _operation(f"{method.upper()} {path}", operation, schemas)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def _operation(name: str, operation: Mapping[str, Any], schemas: _Schemas) -> Operation:
    taken = operation.get("requestBody", {}).get("content", {})
    return Operation(
        name,
        " ".join(operation["description"].split()),
        [_parameter(parameter) for parameter in operation.get("parameters", ())],
        list(_contents(taken, schemas)),
        [
            Answer(status, answer["description"], list(_contents(answer.get("content", {}), schemas)))
            for status, answer in operation["responses"].items()
            if status != "default"
        ],
    )


def _parameter(parameter: Mapping[str, Any]) -> Parameter:
    default = parameter["schema"].get("default")
    known = None if default in (None, "") else str(default)
    return Parameter(parameter["name"], parameter["in"], known, parameter.get("description", ""))


def _contents(contents: Mapping[str, Any], schemas: _Schemas) -> Iterator[Content]:
    for kind, media in contents.items():
        is_json = kind == "application/json"
        yield Content(kind, _example(media.get("schema", {}), schemas) if is_json else None)


def _example(schema: Mapping[str, Any], schemas: _Schemas) -> Any:
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
