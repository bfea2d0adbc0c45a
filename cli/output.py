"""What commands print: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tagtray.config.text import shown

#: Rows whose widths are measured together: a longer table is printed as several.
TABLE_ROWS = 500


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def json_text(value: object, indent: int | None = 2) -> str:
    """``value`` as JSON: times as ISO 8601, bytes as hex, infinities and NaN as null."""
    plain = (sys.stdout.encoding or "").lower() in ("utf-8", "utf8")
    try:
        return json.dumps(value, indent=indent, ensure_ascii=not plain, default=_jsonable, allow_nan=False)
    except ValueError:
        return json_text(_finite(value), indent)


def rows(columns: Sequence[str], found: Iterable[Sequence[Any]], form: Format) -> None:
    """Print rows as they come, without holding them all."""
    if form is Format.JSON:
        _json(columns, found)
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if cell is None else _plain(cell) for cell in row] for row in found)
    elif sys.stdout.isatty():
        _tables(columns, found)
    else:
        for row in itertools.chain([columns], found):
            print("\t".join(_cell(cell) for cell in row))


def files(places: Iterable[bytes], *, null: bool) -> None:
    """Print the bytes of paths alone, each with its end; ``null``: as `xargs -0` wants them."""
    sys.stdout.flush()
    end = b"\0" if null else b"\n"
    for place in places:
        sys.stdout.buffer.write(place + end)
    sys.stdout.buffer.flush()


def percent(share: float | None) -> str:
    """A share as a percentage; nothing for None."""
    return "" if share is None else f"{share:.1%}"


def _json(columns: Sequence[str], found: Iterable[Sequence[Any]]) -> None:
    names = list(_distinct(columns))
    separator = "[\n"
    for row in found:
        sys.stdout.write(separator + json_text(dict(zip(names, row, strict=True)), indent=None))
        separator = ",\n"
    print("\n]" if separator == ",\n" else "[]")


def _tables(columns: Sequence[str], found: Iterable[Sequence[Any]]) -> None:
    # Here, not above: a pipe needs none of it, and importing it takes a tenth of a short command.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    remaining = iter(found)
    while (page := list(itertools.islice(remaining, TABLE_ROWS))) or columns:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for index, column in enumerate(columns):
            numeric = bool(page) and all(isinstance(row[index], int | float | None) for row in page)
            table.add_column(Text(shown(column)), overflow="fold", justify="right" if numeric else "left")
        for row in page:
            table.add_row(*(Text(_cell(cell)) for cell in row))
        console.print(table)
        if len(page) < TABLE_ROWS:
            return


def _distinct(columns: Sequence[str]) -> Iterator[str]:
    """Unique keys for the columns: a repeated name is numbered."""
    seen: set[str] = set()
    for column in columns:
        numbered = itertools.chain([column], (f"{column}_{number}" for number in itertools.count(2)))
        name = next(name for name in numbered if name not in seen)
        seen.add(name)
        yield name


def _cell(value: object) -> str:
    return "" if value is None else shown(str(_plain(value)))


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json_text(value, indent=None)
    return value


def _jsonable(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)


def _finite(value: object) -> object:
    """``value`` without infinities and NaN, which JSON does not have."""
    if isinstance(value, float | Decimal):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value
