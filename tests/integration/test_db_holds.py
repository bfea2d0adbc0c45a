"""Roots that are held or paused, on both databases: none of their images is queued."""

from __future__ import annotations

import pytest

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db import feeding, workers
from tagtray.db.ledger import Ledger
from tagtray.db.places import holds, roots
from tagtray.db.reading import queries, run_stats
from tests import builders
from tests.builders import status


@pytest.fixture
def other(ledger: Ledger, host: Settings) -> int:
    """Id of a second root."""
    return builders.root(ledger, host, "other").id


def age_hold(ledger: Ledger, moment: str) -> None:
    builders.execute(ledger, f"UPDATE roots SET held_until = '{moment}' WHERE held_until IS NOT NULL")


def test_nothing_of_a_held_root_is_queued_and_what_was_comes_back(
    ledger: Ledger, root: int, other: int
) -> None:
    queued = builders.queued(ledger, root, 3)
    waiting = builders.register(ledger, root, 2, "later ")
    free = builders.register(ledger, other, 2)

    assert ledger.hold(root, 30) == 3

    assert status(ledger, *queued, *waiting) == ["pending"] * 5
    assert ledger.pending(99) == 2
    assert {image.id for image in ledger.take_pending(99)} == set(free)
    assert holds.held(ledger.engine) == [holds.Hold("photos", paused=False, waiting=5)]


def test_images_in_hand_are_left_to_their_worker(ledger: Ledger, root: int) -> None:
    ids = builders.running(ledger, root, 2)

    assert ledger.hold(root, 30) == 0

    assert status(ledger, *ids) == ["running"] * 2


def test_after_a_hold_a_few_images_try_whether_the_root_is_back(
    ledger: Ledger, root: int, other: int
) -> None:
    # Given a root whose hold is over
    ids = builders.register(ledger, root, 50)
    free = builders.register(ledger, other, 2)
    ledger.hold(root, 30)
    age_hold(ledger, "2020-01-01 00:00:00.000000")
    assert holds.held(ledger.engine) == []

    # Then a few of its images are taken, and all once somebody has found it
    assert ledger.pending(99) == feeding.PROBE + 2
    assert {image.id for image in ledger.take_pending(99)} == {*ids[: feeding.PROBE], *free}
    ledger.lift("photos")
    assert len(ledger.take_pending(99)) == 50 - feeding.PROBE


def test_a_hold_from_before_the_clock_was_set_back_is_no_hold(ledger: Ledger, root: int) -> None:
    builders.register(ledger, root, 2)
    ledger.hold(root, 30)

    age_hold(ledger, "2120-01-01 00:00:00.000000")

    assert ledger.pending(9) == 2


def test_whoever_finds_the_root_again_ends_the_hold(ledger: Ledger, root: int, other: int) -> None:
    builders.register(ledger, root, 2)
    builders.register(ledger, other, 1)
    info = workers.this_process("one", builders.PROVENANCE, ["photos"])
    for find in (
        lambda: ledger.lift("photos"),
        lambda: workers.register(ledger.engine, info),
        lambda: workers.heartbeat(ledger.engine, info, 0),
    ):
        ledger.hold(root, 30)
        ledger.hold(other, 30)
        assert ledger.pending(9) == 0

        find()

        assert ledger.pending(9) == 2, "and the other root is still held"


def test_a_pause_lasts_until_it_is_ended(ledger: Ledger, root: int, other: int) -> None:
    queued = builders.queued(ledger, root, 2)

    assert holds.pause(ledger.engine, ["photos"]) == ["photos"]

    # Neither a hold nor the end of one shortens it
    ledger.hold(root, 1)
    ledger.lift("photos")
    assert holds.held(ledger.engine) == [holds.Hold("photos", paused=True, waiting=2)]
    assert status(ledger, *queued) == ["pending"] * 2
    assert ledger.take_pending(9) == []
    assert ledger.enqueue(queued) == [], "not even for somebody who waits"

    assert holds.resume(ledger.engine, ["photos"]) == ["photos"]
    assert len(ledger.take_pending(9)) == 2


def test_without_a_name_all_roots_are_paused_and_resumed(ledger: Ledger, root: int, other: int) -> None:
    assert holds.pause(ledger.engine, []) == ["other", "photos"]
    assert [hold.root for hold in holds.held(ledger.engine)] == ["other", "photos"]

    holds.resume(ledger.engine, [])

    assert holds.held(ledger.engine) == []


def test_a_name_that_no_root_has_is_refused_and_nothing_is_paused(ledger: Ledger, root: int) -> None:
    with pytest.raises(UsageError, match=r"^There is no root 'phtos'; there is photos\.$"):
        holds.pause(ledger.engine, ["photos", "phtos"])

    assert holds.held(ledger.engine) == []


def test_held_images_keep_nobody_waiting(ledger: Ledger, root: int, host: Settings) -> None:
    builders.register(ledger, root, 3)
    target = roots.Target(roots.everywhere(ledger.engine, host)[root], b"")
    assert (run_stats.active(ledger.engine, [target]), run_stats.unqueued(ledger.engine, [target])) == (3, 3)
    assert queries.oldest_wait(ledger.engine) is not None

    ledger.hold(root, 30)

    assert (run_stats.active(ledger.engine, [target]), run_stats.unqueued(ledger.engine, [target])) == (0, 0)
    assert queries.oldest_wait(ledger.engine) is None


def test_roots_share_the_room_that_there_is(ledger: Ledger, root: int, other: int) -> None:
    # Given a backlog, and a few photos of another root that came later
    first = builders.register(ledger, root, 50)
    late = builders.register(ledger, other, 3)

    taken = [image.id for image in ledger.take_pending(10)]

    assert set(taken) == {*first[:7], *late}
