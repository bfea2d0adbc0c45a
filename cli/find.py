"""``tagtray find``: photos by what they show, and by where and when they were taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output, signed
from tagtray.config.errors import UsageError
from tagtray.db import paths
from tagtray.db.access import transactions
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder
from tagtray.search.find import Hit, Search

Command = signed.SignedWords

#: Photos of a table unless --limit says otherwise; the other formats have all.
LIMIT = 50


class Form(StrEnum):
    """How hits are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PATHS = "paths"
    PATHS0 = "paths0"


def find(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]...", help="Words, fields and bounds; without any: all photos."),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least score; unset: each category's threshold.")
    ] = None,
    root: Annotated[str | None, typer.Option(metavar="NAME", help="Only photos of this root.")] = None,
    sort: Annotated[
        Literal["score", "date"] | None,
        typer.Option(help="The surest or the newest first; unset: by score where the query has words."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Photos at most; unset: {LIMIT} in a table, else all.")
    ] = None,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on where a former page ended.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How photos are printed.")] = Form.TABLE,
    json: options.Json = False,
) -> None:
    """Find photos: dog, "golden retriever", cat|dog, dog -beagle, taken:2024-05.., camera:x, score>0.8."""
    form = Form.JSON if json else form
    limit = LIMIT if limit is None and (form is Form.TABLE or cursor) else limit
    settings = startup.load()
    with bootstrap.reading(settings) as database, transactions.reading(database) as connection:
        search = Search(connection, text(query or [], min_score, root), sort)
        for note in search.notes:
            typer.echo(note, err=True)
        folders = roots.everywhere(database, settings)
        page = search.page(connection, limit, cursor) if limit is not None else None
        _print(form, search.stream(connection) if page is None else page.hits, folders)
        if page is not None and page.cursor:
            typer.echo(f"There are more: --cursor {page.cursor}", err=True)


def text(query: Iterable[str], min_score: float | None = None, root: str | None = None) -> str:
    """The whole query: what was written, and what options add to it."""
    parts = [*query]
    if min_score is not None:
        parts.append(f"score>={min_score:f}")
    if root is not None:
        if '"' in root:
            raise UsageError(f"There is no root {root!r}.")
        parts.append(f'root:"{root}"')
    return " ".join(parts)


def _print(form: Form, hits: Iterable[Hit], folders: Mapping[int, RootFolder]) -> None:
    if form in (Form.PATHS, Form.PATHS0):
        output.files((_file(hit, folders) for hit in hits), null=form is Form.PATHS0)
    elif form is Form.TABLE:
        rows = (
            (_share(hit.score), hit.label or "", hit.taken_at or "", _shown(hit, folders)) for hit in hits
        )
        output.rows(["score", "label", "taken", "file"], rows, output.Format.TABLE)
    else:
        output.rows(_COLUMNS, (_row(hit, folders) for hit in hits), output.Format(form.value))


_COLUMNS = ("file", "root", "path", "score", "label", "label_zh", "wnid", "taken_at", "sha256")


def _row(hit: Hit, folders: Mapping[int, RootFolder]) -> list[Any]:
    return [_shown(hit, folders), *(getattr(hit, column) for column in _COLUMNS[1:])]


def _file(hit: Hit, folders: Mapping[int, RootFolder]) -> bytes:
    return folders[hit.root_id].file(hit.path, hit.path_raw)


def _shown(hit: Hit, folders: Mapping[int, RootFolder]) -> str:
    return paths.readable(_file(hit, folders))


def _share(score: float | None) -> str:
    return "" if score is None else f"{score:.0%}"
