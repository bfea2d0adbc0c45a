"""Another model becomes the current one: what it has not classified is classified again, behind all else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import event

from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.reading import run_stats
from tagtray.db.records import PendingImage
from tagtray.jobs import stale
from tagtray.jobs.feed import Feeder
from tagtray.jobs.queue import ImageQueue
from tests import builders
from tests.builders import content, query, status

FORMER, LATTER = builders.MODEL_ID, builders.MODEL_ID + 1


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale, "LOOK_INTERVAL", -1.0)


@pytest.fixture
def host(home: Any, ledger_url: str) -> Settings:
    return configuration.load(home=home, database_url=ledger_url, chunk=4, queue_max=10)


@pytest.fixture
def feeder(host: Settings, ledger: Ledger, redis: Redis) -> Feeder:
    queue = ImageQueue("tagtray", redis)
    assert queue.is_new()
    builders.execute(
        ledger,
        "INSERT INTO models "
        "(id, name, architecture, label_set, weights_sha256, input, is_current, created_at) "
        f"SELECT {LATTER}, 'other', architecture, label_set, 'f', input, (1 = 0), created_at FROM models",
    )
    return Feeder(host, ledger, queue)


def switch(ledger: Ledger, model_id: int) -> None:
    """Make another model the current one."""
    builders.execute(ledger, f"UPDATE models SET is_current = (id = {model_id})")


def classify(
    ledger: Ledger, ids: Sequence[int], model_id: int = FORMER, taken_at: datetime | None = None
) -> None:
    """Have a worker with that model classify queued images, each with a content of its own."""
    new = replace(content(), taken_at=taken_at)
    claimed = [image.id for image in ledger.claim(ids, "w", 60, model_id)]
    provenance = replace(builders.PROVENANCE, model_id=model_id)
    ledger.commit("w", provenance, [builders.done(image_id, str(image_id), new) for image_id in claimed])


def photos(ledger: Ledger, root: int, dates: Sequence[int | None]) -> list[int]:
    """Images that are done, taken on those days."""
    ids = []
    for number, day in enumerate(dates):
        (image_id,) = builders.queued(ledger, root, 1, f"{number} ")
        classify(ledger, [image_id], taken_at=datetime(2024, 1, day) if day else None)
        ids.append(image_id)
    return ids


def drained(feeder: Feeder, ledger: Ledger, model_id: int) -> list[int]:
    """Feed and classify until there is no more; the ids in the order of the pages."""
    order: list[int] = []
    for _ in range(9):
        feeder.feed()
        page = [row for (row,) in query(ledger, "SELECT id FROM images WHERE status = 'queued' ORDER BY id")]
        classify(ledger, page, model_id)
        order += page
    return order


def test_what_the_current_model_has_not_seen_is_classified_again_the_newest_photo_first(
    feeder: Feeder, ledger: Ledger, root: int
) -> None:
    # Given 25 photos, five of which say nothing of their date
    days: list[int | None] = [*range(20, 0, -1), *([None] * 5)]
    ids = photos(ledger, root, days)
    assert feeder.feed() == 0 and feeder.settled

    # When another model becomes the current one
    switch(ledger, LATTER)

    # Then they come in pages of a queue's worth: the newest, the older ones, those without a date
    order = drained(feeder, ledger, LATTER)
    assert [set(order[:10]), set(order[10:20]), set(order[20:])] == [
        set(ids[:10]),
        set(ids[10:20]),
        set(ids[20:]),
    ]
    assert len(order) == 25, "each of them once"
    assert feeder.settled
    assert query(ledger, "SELECT model_id, count(*) FROM classifications GROUP BY model_id ORDER BY 1") == [
        (FORMER, 25),
        (LATTER, 25),
    ]


def test_old_results_stay_visible_until_there_are_new_ones(feeder: Feeder, ledger: Ledger, root: int) -> None:
    (image_id,) = photos(ledger, root, [1])
    before = query(ledger, "SELECT * FROM results")

    switch(ledger, LATTER)
    for step in (feeder.feed, lambda: ledger.claim([image_id], "w", 60, LATTER)):
        step()
        assert query(ledger, "SELECT * FROM results") == before
        assert query(ledger, "SELECT * FROM top1") == query(ledger, "SELECT * FROM image_tags") == []
    assert status(ledger, image_id) == ["running"]
    ledger.commit(
        "w",
        replace(builders.PROVENANCE, model_id=LATTER),
        [builders.done(image_id, str(image_id), content(top=((3, 0.5), (0, 0.3), (1, 0.2))))],
    )

    assert query(ledger, "SELECT model, label FROM results WHERE rank = 1 ORDER BY model") == [
        ("other", "volcano"),
        ("tiny", "beagle"),
    ]
    assert query(ledger, "SELECT model, label FROM top1") == [("other", "volcano")]


def test_new_images_go_before_stale_ones(feeder: Feeder, ledger: Ledger, root: int) -> None:
    photos(ledger, root, [1] * 25)
    switch(ledger, LATTER)
    feeder.feed()
    new = builders.register(ledger, root, 3, "new ")

    ledger.unqueue()
    taken = ledger.take_pending(5)

    assert [image.id for image in taken[:3]] == new
    assert len(taken) == 5


def test_the_former_model_comes_back_without_any_work(feeder: Feeder, ledger: Ledger, root: int) -> None:
    # Given a re-classification that has only begun: some wait, some are queued, one is in hand
    ids = photos(ledger, root, [*range(1, 16)])
    switch(ledger, LATTER)
    feeder.feed()
    ledger.unqueue(ids[-3:])
    ledger.claim([ids[-4]], "w", 60, LATTER)

    # When the former model is the current one again
    switch(ledger, FORMER)

    # Then there is nothing to do
    assert feeder.feed() == 0
    assert set(status(ledger, *ids[:-4], *ids[-3:])) == {"done"}
    assert feeder.settled


def test_another_feeder_goes_on_where_one_was_interrupted(
    feeder: Feeder, ledger: Ledger, root: int, host: Settings, redis: Redis
) -> None:
    ids = photos(ledger, root, [*range(1, 26)])
    switch(ledger, LATTER)
    feeder.feed()
    classify(ledger, ids, LATTER)

    order = drained(Feeder(host, ledger, ImageQueue("tagtray", redis)), ledger, LATTER)

    assert sorted(order) == ids[:15]


def test_what_a_worker_still_commits_with_the_former_model_is_found(
    feeder: Feeder, ledger: Ledger, root: int
) -> None:
    # Given an image in the hands of a worker, and a switch that the worker has not heard of
    photos(ledger, root, [1])
    (late,) = builders.queued(ledger, root, 1, "late ")
    ledger.claim([late], "w", 60, FORMER)
    switch(ledger, LATTER)
    drained(feeder, ledger, LATTER)
    assert feeder.settled

    # When it commits
    ledger.commit("w", builders.PROVENANCE, [builders.done(late, str(late), content())])

    # Then its image is stale
    assert drained(feeder, ledger, LATTER) == [late]


def test_images_of_a_held_root_are_left_until_it_is_free(
    feeder: Feeder, ledger: Ledger, root: int, host: Settings
) -> None:
    other = builders.root(ledger, host, "other").id
    held, free = photos(ledger, root, [2]), photos(ledger, other, [1])
    ledger.hold(root, 30)
    switch(ledger, LATTER)

    assert drained(feeder, ledger, LATTER) == free
    assert status(ledger, *held) == ["done"]

    ledger.lift("photos")
    assert drained(feeder, ledger, LATTER) == held


def test_copies_of_a_photo_and_missing_files_end_the_walk(feeder: Feeder, ledger: Ledger, root: int) -> None:
    # Given a content with many copies, and one whose file is gone
    ids = builders.queued(ledger, root, 10)
    more = builders.queued(ledger, root, 8, "more ")
    claimed = [image.id for image in ledger.claim([*ids, *more], "w", 60, FORMER)]
    outcomes = [builders.done(image_id, "copy", content()) for image_id in claimed[:-1]]
    ledger.commit("w", builders.PROVENANCE, [*outcomes, builders.done(claimed[-1], "gone", content())])
    ledger.mark_missing([claimed[-1]])
    switch(ledger, LATTER)

    order: list[int] = []
    for _ in range(6):
        feeder.feed()
        page = [row for (row,) in query(ledger, "SELECT id FROM images WHERE status = 'queued'")]
        taken = ledger.claim(page, "w", 60, LATTER)
        latter = replace(builders.PROVENANCE, model_id=LATTER)
        ledger.commit("w", latter, [builders.done(image.id, "copy", content()) for image in taken])
        order += page

    assert len(order) <= 17 and feeder.settled
    assert query(ledger, "SELECT count(*) FROM images WHERE status = 'done'") == [(17,)]


def test_with_one_model_nothing_is_ever_looked_for(
    ledger: Ledger, root: int, host: Settings, redis: Redis
) -> None:
    photos(ledger, root, [1, 2, 3])
    feeder = Feeder(host, ledger, ImageQueue("tagtray", redis))
    sent: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))

    for _ in range(3):
        feeder.feed()

    assert feeder.settled
    assert not any("contents" in statement for statement in sent), sent


def test_a_run_waits_for_the_stale_images_of_its_folders_alone(
    feeder: Feeder, ledger: Ledger, root: int, host: Settings
) -> None:
    other = builders.root(ledger, host, "other").id
    photos(ledger, root, [1, 2, 3])
    photos(ledger, other, [4])
    everywhere = roots.everywhere(ledger.engine, host)
    targets = [roots.Target(everywhere[root], b"")]
    assert run_stats.stale_images(ledger.engine, targets) == 0

    switch(ledger, LATTER)

    assert run_stats.stale_images(ledger.engine, targets) == 3
    feeder.feed()
    assert run_stats.stale_images(ledger.engine, targets) == 0
    assert run_stats.active(ledger.engine, targets) == 3


def test_a_stale_image_that_changes_is_new(feeder: Feeder, ledger: Ledger, root: int) -> None:
    (image_id,) = photos(ledger, root, [1])
    switch(ledger, LATTER)
    ledger.bring_back_stale(ledger.stale_basis(), 9, None)

    ledger.register(root, [builders.seen("0 0.jpg", mtime=2)])

    (taken,) = ledger.take_pending(9)
    assert taken == PendingImage(image_id, 0, 1)
