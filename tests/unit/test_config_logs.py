"""Log lines: one per event, with a traceback only where a developer asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tagtray.config import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers[:] = []  # else configure() would close pytest's own
    alembic = logging.getLogger("alembic").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(alembic)


def _fail(message: str = "it broke\nin two") -> None:
    try:
        raise ValueError(message)
    except ValueError:
        logging.getLogger("t").exception("batch_failed: no luck.")


def test_an_exception_is_one_line_that_says_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("WARNING")

    _fail()

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "ERROR   batch_failed: no luck. (ValueError: it broke in two; TAGTRAY_LOG_LEVEL=DEBUG shows where)"
    )


def test_with_debug_the_traceback_shows(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG")

    _fail()

    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_message_with_line_breaks_or_escapes_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("WARNING")

    logging.getLogger("t").warning("root_said: %s", "a\nERROR forged\r\x1b[2Jz\u2028end")

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "\x1b" not in lines[0]


def test_records_below_the_level_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ERROR")

    logging.getLogger("t").warning("quiet")

    assert capsys.readouterr().err == ""


def test_an_event_carries_its_name_and_fields_beside_its_sentence(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("t")
    logs.event(log, logging.WARNING, "folder_kept", "{folder} {why}.", folder="/a/{b}", why="is empty")

    (record,) = caplog.records
    assert record.getMessage() == "folder_kept: /a/{b} is empty."
    assert vars(record)["event"] == "folder_kept"
    assert vars(record)["fields"] == {"folder": "/a/{b}", "why": "is empty"}
    assert record.funcName == test_an_event_carries_its_name_and_fields_beside_its_sentence.__name__


def test_a_throttled_line_is_due_once_and_again_when_it_was_reset() -> None:
    throttle = logs.Throttle(60)

    assert [throttle.is_due("a"), throttle.is_due("a"), throttle.is_due("b")] == [True, False, True]
    throttle.reset("a")
    assert throttle.is_due("a")
    assert logs.Throttle(0).is_due() and logs.Throttle(0).is_due()
