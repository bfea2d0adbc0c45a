from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tagtray.producer.settling import COMPLETE, delay

ENDS = st.sampled_from([True, False, None])
SECONDS = st.floats(0, 1000)
STABLE, SETTLE = 2.0, 60.0


def judged(size: int = 9, age: float = 0.0, closed: bool = False, end: bool | None = True) -> float:
    return delay(size, age, closed, lambda: end, STABLE, SETTLE)


def test_a_complete_file_that_was_closed_is_ready_at_once() -> None:
    assert judged(closed=True) == COMPLETE


def test_a_complete_file_that_was_not_closed_is_ready_once_it_is_stable() -> None:
    assert judged(age=0.5) == 1.5
    assert judged(age=2.0) == COMPLETE


def test_a_file_whose_format_has_no_end_marker_needs_none() -> None:
    assert judged(closed=True, end=None) == COMPLETE


@given(age=st.floats(0, SETTLE, exclude_max=True), closed=st.booleans())
def test_a_young_file_without_its_end_always_waits(age: float, closed: bool) -> None:
    assert judged(age=age, closed=closed, end=False) > 0
    assert judged(size=0, age=age, closed=closed, end=None) > 0


@given(size=st.integers(0, 10), age=st.floats(SETTLE, 1e9), closed=st.booleans(), end=ENDS)
def test_a_settled_file_always_goes_in(size: int, age: float, closed: bool, end: bool | None) -> None:
    assert judged(size, age, closed, end) == COMPLETE


#: Seconds between two looks at least.
LATE = 0.1


@given(size=st.integers(0, 10), age=SECONDS, closed=st.booleans(), end=ENDS, stable=SECONDS, settle=SECONDS)
def test_whoever_waits_as_told_is_ready_in_the_end(
    size: int, age: float, closed: bool, end: bool | None, stable: float, settle: float
) -> None:
    # Given a file that nobody changes any more
    limit = max(stable, settle)
    for _ in range(int(limit / LATE) + 2):
        seconds = delay(size, age, closed, lambda: end, stable, settle)
        if seconds == COMPLETE:
            return
        # Then no wait is longer than what is left
        assert 0 < seconds <= limit - age + 1e-9
        # When it is looked at again a little after it was due
        age += max(seconds, LATE)
    raise AssertionError("it waits forever")


def test_the_end_is_not_looked_for_where_it_does_not_matter() -> None:
    def forbidden() -> bool:
        raise AssertionError("the file was opened")

    assert delay(9, 100.0, False, forbidden, STABLE, SETTLE) == COMPLETE
    assert delay(9, 0.5, False, forbidden, STABLE, SETTLE) > 0
    assert delay(0, 0.5, True, forbidden, STABLE, SETTLE) > 0
