"""Lines in the formats of other programs, written a page at a time: JSONL, CSV, Parquet."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any

from tagtray.config.errors import UsageError
from tagtray.exchange import lines
from tagtray.exchange.lines import Line

if TYPE_CHECKING:
    import pyarrow

#: Rows of a group of Parquet: as many are in memory, in Arrow's columns.
GROUP = 10_000

Write = Callable[[Sequence[Line]], None]


class Form(StrEnum):
    """A format, called like the ending of its files."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def opened(form: Form, file: IO[bytes], features: bool) -> AbstractContextManager[Write]:
    """What writes pages of lines to ``file``, which is complete when the block ends.

    Raises UsageError for what the format cannot hold or what is not installed.
    """
    if form is Form.CSV and features:
        raise UsageError("CSV holds no feature vectors; JSONL and Parquet do.")
    match form:
        case Form.JSONL:
            return _jsonl(file)
        case Form.CSV:
            return _csv(file)
        case Form.PARQUET:
            check_parquet()
            return _parquet(file, features)


def check_parquet() -> None:
    """Raise UsageError where Parquet cannot be written."""
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Parquet needs the extra: pip install 'tagtray[parquet]'.")


@contextmanager
def _jsonl(file: IO[bytes]) -> Iterator[Write]:
    def write(page: Sequence[Line]) -> None:
        file.write(b"".join(map(lines.text, page)))

    yield write


_IMAGE = ("file", "root", "path", "sha256", "format", "width", "height", "taken_at", "taken_from", "camera")
_RESULT = ("model", "engine", "precision", "classified_at")
_TOP = tuple(f"{name}_{rank}" for rank in (1, 2, 3) for name in ("label", "label_zh", "score"))
_CSV = (*_IMAGE, "color", "partial", *_RESULT, *_TOP, "tags", "tags_zh")


@contextmanager
def _csv(file: IO[bytes]) -> Iterator[Write]:
    def write(page: Sequence[Line], header: bool = False) -> None:
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, _CSV, lineterminator="\n")
        if header:
            table.writeheader()
        table.writerows(map(_csv_row, page))
        file.write(text.getvalue().encode())

    write((), header=True)
    yield write


def _csv_row(line: Line) -> dict[str, Any]:
    row = _flat(line)
    labels, tags = row.pop("labels"), row.pop("tags")
    for rank, label in enumerate(labels, start=1):
        row |= {f"label_{rank}": label["name"], f"label_zh_{rank}": label["name_zh"]}
        row[f"score_{rank}"] = label["score"]
    moments = {name: row[name].isoformat() for name in ("taken_at", "classified_at") if row[name]}
    names = {"tags": _joined(tags, "name"), "tags_zh": _joined(tags, "name_zh")}
    return {**row, **moments, "partial": int(line.partial), **names}


def _joined(tags: Sequence[dict[str, Any]], name: str) -> str:
    return ";".join(tag[name] for tag in tags if tag[name])


def _flat(line: Line) -> dict[str, Any]:
    """The columns of a line; ``labels`` and the ``tags`` that are shown are lists."""
    row = {name: getattr(line, name) for name in (*_IMAGE, "color", "partial")}
    result = line.result
    if result is None:
        return {**row, **dict.fromkeys(_RESULT), "labels": [], "tags": []}
    labels = [_named(label) for label in result.labels]
    tags = [_named(tag) for tag in result.tags if tag.shown]
    how = {"model": result.model.name, "engine": result.engine, "precision": result.precision}
    return {**row, **how, "classified_at": result.classified_at, "labels": labels, "tags": tags}


def _named(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("name", "name_zh", "wnid", "score")}


@contextmanager
def _parquet(file: IO[bytes], features: bool) -> Iterator[Write]:
    # Here, not above: an extra that takes a tenth of a second to import.
    import pyarrow
    from pyarrow import parquet

    schema = _schema(features)
    held: list[pyarrow.Table] = []
    with parquet.ParquetWriter(pyarrow.PythonFile(_Counted(file), mode="w"), schema) as table:

        def flush() -> None:
            table.write_table(pyarrow.concat_tables(held) if held else schema.empty_table())
            held.clear()

        def write(page: Sequence[Line]) -> None:
            rows = [_with_vector(line) if features else _flat(line) for line in page]
            held.append(pyarrow.Table.from_pylist(rows, schema))
            if sum(part.num_rows for part in held) >= GROUP:
                flush()

        yield write
        flush()


def _with_vector(line: Line) -> dict[str, Any]:
    return {**_flat(line), "features": line.result.features if line.result else None}


def _schema(features: bool) -> pyarrow.Schema:
    import pyarrow as arrow

    texts = {name: arrow.string() for name in (*_IMAGE, "color", *_RESULT)}
    numbers = {"width": arrow.int32(), "height": arrow.int32(), "partial": arrow.bool_()}
    moments = {"taken_at": arrow.timestamp("us"), "classified_at": arrow.timestamp("us", "UTC")}
    named = arrow.list_(
        arrow.struct(
            [(name, arrow.string()) for name in ("name", "name_zh", "wnid")] + [("score", arrow.float64())]
        )
    )
    columns = {**texts, **numbers, **moments, "labels": named, "tags": named}
    return arrow.schema([*columns.items(), *([("features", arrow.binary())] if features else [])])


class _Counted(io.RawIOBase):
    """A file that knows how much was written to it, which a pipe does not."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written
