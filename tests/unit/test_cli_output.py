"""Tables, JSON and CSV, and what may stand on a terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tagtray.cli import output
from tagtray.cli.output import Format

COLUMNS = ("path", "score", "path")
ROWS: list[Sequence[Any]] = [("a\tb\n.jpg", 0.5, None), ("猫 \x1b[31m", 1, b"\xff\x00")]


def _printed(capsys: pytest.CaptureFixture[str], form: Format, rows: list[Sequence[Any]] = ROWS) -> str:
    output.rows(COLUMNS, iter(rows), form)
    return capsys.readouterr().out


def test_without_a_terminal_a_table_is_one_line_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed(capsys, Format.TABLE) == (
        "path\tscore\tpath\na\\tb\\n.jpg\t0.5\t\n猫 \\x1b[31m\t1\tff00\n"
    )


def test_json_keeps_the_exact_text_and_numbers_columns_of_one_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert json.loads(_printed(capsys, Format.JSON)) == [
        {"path": "a\tb\n.jpg", "score": 0.5, "path_2": None},
        {"path": "猫 \x1b[31m", "score": 1, "path_2": "ff00"},
    ]


def test_json_of_no_rows_is_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed(capsys, Format.JSON, []) == "[]\n"


def test_csv_keeps_the_exact_text(capsys: pytest.CaptureFixture[str]) -> None:
    printed = _printed(capsys, Format.CSV)

    assert list(csv.reader(io.StringIO(printed, newline=""))) == [
        ["path", "score", "path"],
        ["a\tb\n.jpg", "0.5", ""],
        ["猫 \x1b[31m", "1", "ff00"],
    ]


def test_rows_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    # Given rows that break off
    def rows() -> Any:
        yield ("a", 1, 2)
        raise InterruptedError

    # When they are printed, then the first one is there
    with pytest.raises(InterruptedError):
        output.rows(COLUMNS, rows(), Format.JSON)
    assert '"a"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05+00:00"'),
        (b"\x01\xff", '"01ff"'),
        (Decimal("1.5"), "1.5"),
        ([Decimal("12"), Decimal("NaN")], "[12, null]"),
        (float("nan"), "null"),
        ([float("inf"), {"a": float("-inf")}], '[null, {"a": null}]'),
    ],
)
def test_what_json_has_no_word_for_is_text_or_null(value: object, text: str) -> None:
    assert output.json_text(value, indent=None) == text


def test_a_terminal_gets_a_table_of_aligned_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a terminal of 60 columns
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "dumb")

    # When more rows come than are measured together
    printed = _printed(capsys, Format.TABLE, [(f"{n} [bold]", n, None) for n in range(output.TABLE_ROWS + 1)])

    # Then there are two tables, every line fits, and nothing is taken for markup
    lines = printed.splitlines()
    assert sum("score" in line for line in lines) == 2
    assert max(map(len, lines)) <= 60
    assert sum("[bold]" in line for line in lines) == output.TABLE_ROWS + 1
