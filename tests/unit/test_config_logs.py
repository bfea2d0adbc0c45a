"""Log lines: one per event, with a traceback only where a developer asks for it."""

from __future__ import annotations

import json
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


def test_lines_for_programs_are_an_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    # Given JSON as the form
    logs.configure("INFO", "json")
    log = logging.getLogger("t")

    # When an event with fields, a plain sentence, an exception and something that is not JSON are logged
    logs.event(log, logging.INFO, "batch_done", "images={images}", images=3, seconds={"read": 0.5})
    log.warning("Something else\nhappened.")
    _fail()
    logs.event(log, logging.ERROR, "odd", "{what}", what=b"\xff\x1b[2J")

    # Then each is one line
    done, plain, failed, odd = map(json.loads, capsys.readouterr().err.splitlines())
    assert (done["level"], done["event"], done["message"]) == ("INFO", "batch_done", "images=3")
    assert done["fields"] == {"images": 3, "seconds": {"read": 0.5}}
    assert (plain["event"], plain["message"]) == (None, "Something else\nhappened.")
    assert failed["exception"] == {"type": "ValueError", "message": "it broke\nin two"}
    assert "traceback" not in failed
    assert "\x1b" not in odd["fields"]["what"]
    assert done["time"].endswith("+00:00")


def test_lines_for_programs_have_tracebacks_with_debug(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG", "json")

    _fail()

    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback (most recent call last)" in json.loads(line)["traceback"]


def test_a_sentence_of_a_command_can_be_such_a_line() -> None:
    line = json.loads(logs.as_json("tagtray: There is no ledger: 100 %."))

    assert (line["message"], line["event"]) == ("There is no ledger: 100 %.", "tagtray")


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
