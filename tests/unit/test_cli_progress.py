"""The meter, and the lines of a run without a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.cli import progress
from tagtray.cli.progress import Lines, Meter, Snapshot
from tagtray.producer.settling import Waiting

COUNTS = st.integers(0, 1000)


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("tagtray.cli.progress.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def _read(meter: Meter, found: int, left: int) -> Snapshot:
    return meter.read(found, left, Waiting(), True, "Classifying")


@given(before=COUNTS, readings=st.lists(st.tuples(COUNTS, COUNTS), min_size=1))
def test_what_is_done_is_never_negative_and_never_more_than_all(
    before: int, readings: list[tuple[int, int]]
) -> None:
    meter = Meter(before)
    totals = []
    for found, left in readings:
        snapshot = _read(meter, found, left)
        assert 0 <= snapshot.done <= snapshot.total
        assert snapshot.rate >= 0
        totals.append(snapshot.total)
    assert totals == sorted(totals)


def test_images_that_were_left_by_an_earlier_run_count_as_work() -> None:
    assert _read(Meter(before=10), found=5, left=12).done == 3


def test_the_rate_leaves_the_start_up_out(clock: Clock) -> None:
    # Given 20 seconds in which nothing is done
    meter = Meter(0)
    for _ in range(20):
        assert _read(meter, 100, 100).rate == 0.0
        clock.now += 1

    # When 10 images are done in 2 seconds
    clock.now += 1
    snapshot = _read(meter, 100, 90)

    # Then that is the rate, and the time left
    assert snapshot.rate == pytest.approx(5.0)
    assert snapshot.rate_text == "5.0 images/s"
    assert snapshot.left_text == "0:18 left"


def test_the_rate_is_that_of_the_last_seconds(clock: Clock) -> None:
    # Given a slow minute and a fast one after it
    meter = Meter(0)
    done = 0
    for speed in (1, 10):
        for _ in range(60):
            clock.now += 1
            done += speed
            snapshot = _read(meter, 1000, 1000 - done)

    assert snapshot.rate == pytest.approx(10.0)


@pytest.mark.parametrize(("idle", "left", "over"), [(True, 0, True), (False, 0, False), (True, 1, False)])
def test_a_run_is_over_when_the_producer_is_idle_and_nothing_is_left(
    idle: bool, left: int, over: bool
) -> None:
    assert Meter(0).read(5, left, Waiting(), idle, "").over is over


def test_without_a_terminal_a_line_is_said_now_and_then(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a run of 25 seconds
    lines, meter = Lines(), Meter(0)
    for second in range(26):
        lines.show(meter.read(1000, 1000 - 4 * second, Waiting(2, b"a.jpg", 52.4), False, "Classifying"))
        clock.now += 1

    # Then two lines were said
    assert capsys.readouterr().err.splitlines() == [
        "Classifying: 40/1,000, 4.0 images/s, 4:00 left, "
        "waiting for 2 files that may still be written to (a.jpg, ...), 52 s at most",
        "Classifying: 80/1,000, 4.0 images/s, 3:50 left, "
        "waiting for 2 files that may still be written to (a.jpg, ...), 52 s at most",
    ]


def test_a_run_that_stands_still_says_at_once_what_it_waits_for(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a run whose images are all done, and a file without its end
    lines, meter = Lines(), Meter(0)
    for second in range(12):
        waiting = Waiting(1, b"new\nline.jpg", 58.0 - second)
        lines.show(meter.read(3, 0, waiting, False, "Classifying"))
        clock.now += 1

    # Then it is said when the wait begins, and now and then
    assert capsys.readouterr().err.splitlines() == [
        "Waiting for a file that may still be written to (new\\nline.jpg), 58 s at most.",
        "Waiting for a file that may still be written to (new\\nline.jpg), 48 s at most.",
    ]


def test_a_short_wait_is_not_worth_a_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    Lines().show(Meter(0).read(3, 0, Waiting(1, b"a.jpg", 1.5), False, ""))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3600, "1:00:00"), (90061, "25:01:01")]
)
def test_a_duration_reads_as_on_a_clock(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text
