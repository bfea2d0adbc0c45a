"""For developers: write into the pages what the code says of itself (``python -m tools.generate_docs``).

Each page keeps its prose; only what stands between ``<!-- name -->`` and ``<!-- /name -->`` is written.
A test holds every page against the code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Literal, get_args, get_origin

import typer.main
from pydantic.fields import FieldInfo
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from tagtray.cli.lazy import LazyGroup
from tagtray.cli.main import app
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.reading import recipes
from tagtray.weights.model import Model
from tagtray.weights.store import ModelStore
from tools import accuracy_page, http_page, performance_page, scale_page, teaching_page

REPOSITORY = Path(__file__).resolve().parents[1]

#: How a default that is worked out at run time is said.
_WORKED_OUT = {"home": "`~/.local/share/tagtray` (XDG)", "roots": "where the database says"}
#: How the limits of a value are said.
_LIMITS = {"ge": "from {:,}", "gt": "above {:,}", "le": "up to {:,}", "pattern": "`{}`"}


def settings() -> str:
    """Every setting: variable, default, accepted values, meaning."""
    rows = (
        (
            _variable(name),
            _default(name, field),
            _accepted(field),
            (field.description or "").replace("<", r"\<"),
        )
        for name, field in Settings.model_fields.items()
    )
    return _table(("variable", "default", "accepted", "meaning"), rows)


def commands() -> str:
    """Every command with its arguments and options."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    return "\n".join(_section(name, command) for name, command in _leaves(root, "tagtray"))


def figures() -> str:
    """How good the models are that ship, the default one first."""
    models = [model for model in ModelStore().models() if model.package is None]
    columns = [dict(_figures(model)) for model in models]
    rows = [(line, *(column[line] for column in columns)) for line in columns[0]]
    return _table(("", *(f"`{model.name}`" for model in models)), rows)


def _figures(model: Model) -> Iterator[tuple[str, str]]:
    assert model.accuracy and model.date, "the manifest says what a model that ships is worth"
    photos, band = model.accuracy.labelled_sets[0], model.thresholds.overall
    tags = next(found for found in model.accuracy.tags if found.min_score == band)
    yield f"the right label is the first one ({photos.photos:,} labelled photos)", _percent(photos.top1)
    yield "the right label is among the three", _percent(photos.top3)
    categories = len(model.labels.categories)
    yield f"a category of WordNet's {categories} with a score from {band} is right", _percent(tags.precision)
    yield "photos with at least one such category", _percent(tags.photos)
    for label in model.accuracy.labels:
        yield f"a first label with a score from {label.min_score} is right", _percent(label.right)
    yield "measured", model.date.isoformat()


def sql_recipes() -> str:
    """The queries of the page on SQL, numbered through."""
    numbers = itertools.count(1)
    sections = (
        f"## {title}\n\n"
        + "\n".join(f"{next(numbers)}. {recipe.question}:\n\n```sql{recipe.sql}```\n" for recipe in found)
        for title, found in recipes.RECIPES.items()
    )
    return "\n".join(sections)


#: What is written where: page, name of its marks, text.
PARTS: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("README.md", "figures", figures),
    ("docs/sql.md", "recipes", sql_recipes),
    ("docs/accuracy.md", "accuracy", accuracy_page.summary),
    ("docs/accuracy.md", "thresholds", accuracy_page.thresholds),
    ("docs/accuracy.md", "categories", accuracy_page.categories),
    ("docs/how-to/teach.md", "promises", teaching_page.promises),
    ("docs/how-to/teach.md", "kinds", teaching_page.kinds),
    ("docs/reference/settings.md", "settings", settings),
    ("docs/reference/commands.md", "commands", commands),
    ("docs/reference/http.md", "operations", http_page.operations),
    ("docs/performance.md", "comparison", performance_page.comparison),
    ("docs/performance.md", "stages", performance_page.stages),
    ("docs/performance.md", "ablations", performance_page.ablations),
    ("docs/performance.md", "overhead", performance_page.overhead),
    ("docs/performance.md", "agreement", performance_page.agreement),
    ("docs/performance.md", "heic", performance_page.heic),
    ("docs/performance.md", "scale", performance_page.scale),
    ("docs/performance.md", "search", performance_page.search),
    ("docs/performance.md", "exchange", performance_page.exchange),
    ("docs/performance.md", "taught", performance_page.taught),
    ("docs/performance.md", "web", performance_page.web),
    ("docs/performance.md", "memory", performance_page.memory),
    ("docs/performance.md", "startup", performance_page.startup),
    ("docs/performance.md", "latency", performance_page.latency),
    ("docs/scale.md", "costs", scale_page.costs),
    ("docs/scale.md", "needs", scale_page.needs),
    ("docs/scale.md", "bounds", scale_page.bounds),
)


def renew(page: str, name: str, text: str) -> str:
    """``page`` with ``text`` between its marks; raises ValueError where it has none."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{text}{end}{after}"


def main() -> None:
    """Renew all pages."""
    for path, name, text in PARTS:
        page = REPOSITORY / path
        page.write_text(renew(page.read_text("utf-8"), name, text()), "utf-8")


def _variable(name: str) -> str:
    if name == "roots":
        return f"`{configuration.ROOT_PREFIX}<NAME>`"
    return f"`{configuration.variable(name)}`"


def _default(name: str, field: FieldInfo) -> str:
    if name in _WORKED_OUT:
        return _WORKED_OUT[name]
    default = field.default
    if default is None:
        return "unset"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _accepted(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    return ", ".join(
        text.format(getattr(limit, kind))
        for limit in field.metadata
        for kind, text in _LIMITS.items()
        if getattr(limit, kind, None) is not None
    )


def _leaves(group: TyperGroup, prefix: str) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(group, LazyGroup):
            command = group.load(name)
        if isinstance(command, TyperGroup):
            yield from _leaves(command, f"{prefix} {name}")
        else:
            assert isinstance(command, TyperCommand)
            yield f"{prefix} {name}", command


def _section(name: str, command: TyperCommand) -> str:
    arguments = [param for param in command.params if isinstance(param, TyperArgument)]
    options = [param for param in command.params if isinstance(param, TyperOption)]
    usage = " ".join([name, *map(_argument, arguments)])
    rows = [(f"`{_argument(param)}`", param.help or "") for param in arguments]
    rows += [(f"`{_option(param)}`", param.help or "") for param in options]
    table = "\n" + _table(("", ""), rows) if rows else ""
    return f"### `{usage}`\n\n{' '.join((command.help or '').split())}\n{table}"


def _argument(param: TyperArgument) -> str:
    return param.metavar or (param.name or "").upper()


def _option(param: TyperOption) -> str:
    value = "" if param.is_flag else f" {param.metavar or _value(param)}"
    return ", ".join(param.opts) + value


def _value(param: TyperOption) -> str:
    kind: object = param.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(member.value for member in kind)
    return "VALUE" if param.min is None else "N"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _percent(share: float | None) -> str:
    return "not measured" if share is None else f"{100 * share:.0f} %"


if __name__ == "__main__":
    main()
