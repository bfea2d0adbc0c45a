"""The ledger on both databases: every change of an image's state."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tagtray.db.ledger import Ledger
from tagtray.db.records import Deferred, Done, Failed, Gone, NewContent, Outcome
from tests import builders
from tests.builders import MODEL_ID, commit, content, done, query, row, seen, sha, status

# Producers


def test_a_new_file_is_pending_and_a_known_one_is_left_alone(ledger: Ledger, root: int) -> None:
    first = ledger.register(root, [seen("a"), seen("b")])
    second = ledger.register(root, [seen("a"), seen("b"), seen("c")])

    assert (first.new, first.changed, first.unchanged, set(first.ids)) == (2, 0, 0, {b"a", b"b"})
    assert (second.new, second.changed, second.unchanged) == (1, 0, 2)
    assert second.ids == {**first.ids, b"c": second.ids[b"c"]}
    assert ledger.counts() == {
        "pending": 3,
        "queued": 0,
        "running": 0,
        "done": 0,
        "failed": 0,
        "missing": 0,
        "ignored": 0,
    }
    found = row(ledger, second.ids[b"a"])
    assert (found["path"], found["path_raw"], found["attempts"], found["worker"]) == ("a", None, 0, None)
    assert found["first_seen_at"] == found["updated_at"]
    assert abs((datetime.now(UTC) - found["first_seen_at"]).total_seconds()) < 60


def test_to_register_nothing_is_nothing(ledger: Ledger, root: int) -> None:
    assert ledger.register(root, []).ids == {}


def test_a_name_that_is_no_text_keeps_its_bytes(ledger: Ledger, root: int) -> None:
    names = [b"\xff.jpg", "\ufffdff.jpg".encode(), b"d\xe9/\xe4.jpg"]

    ledger.register(root, [seen(name) for name in names])

    ids = [image.id for image in ledger.take_pending(9)]
    assert [image.path for image in ledger.claim(ids, "w", 60, MODEL_ID)] == names
    assert set(ledger.lookup(root, names)) == set(names)
    assert [path for page in ledger.present(root) for _, path in page] == names
    assert [path for page in ledger.present(root, b"d\xe9") for _, path in page] == [names[2]]


def test_a_changed_file_is_pending_again_without_its_old_content(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, done(image_id, "cat", content()))

    registration = ledger.register(root, [seen("0.jpg", size=11)])

    assert (registration.changed, registration.ids) == (1, {b"0.jpg": image_id})
    assert row(ledger, image_id)["content_id"] is None
    assert status(ledger, image_id) == ["pending"]
    assert query(ledger, "SELECT * FROM top1") == []


def test_a_failed_file_that_changed_is_tried_anew(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, Failed(image_id, "corrupt", "The picture is damaged."))
    assert ledger.register(root, [seen("0.jpg")]).changed == 0

    assert ledger.register(root, [seen("0.jpg", mtime=2)]).changed == 1

    found = row(ledger, image_id)
    assert (found["status"], found["error_code"], found["error_message"]) == ("pending", None, None)


def test_a_file_that_changed_in_a_workers_hands_is_taken_out_of_them(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)

    ledger.register(root, [seen("0.jpg", mtime=2)])
    commit(ledger, done(image_id, "old bytes", content()))

    found = row(ledger, image_id)
    assert (found["status"], found["worker"], found["content_id"]) == ("pending", None, None)


def test_a_missing_file_keeps_its_results_hidden_and_returns_as_pending(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, done(image_id, "cat", content()))

    assert ledger.mark_missing([image_id]) == 1
    assert ledger.mark_missing([image_id]) == 0
    assert row(ledger, image_id)["content_id"] is not None
    assert [query(ledger, f"SELECT * FROM {view}") for view in ("results", "top1", "image_tags")] == [[]] * 3
    assert list(ledger.present(root)) == []

    assert ledger.register(root, [seen("0.jpg")]).changed == 1
    assert status(ledger, image_id) == ["pending"]


def test_a_file_that_went_missing_in_a_workers_hands_stays_missing(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)

    ledger.mark_missing([image_id])
    commit(ledger, done(image_id, "cat", content()))

    assert (row(ledger, image_id)["status"], row(ledger, image_id)["worker"]) == ("missing", None)


def test_what_is_present_below_a_folder_is_that_and_nothing_alike(ledger: Ledger, root: int) -> None:
    names = ["a/1", "a/b/2", "ab/3", "a%/4", "a_/5", "A/6", "7"]
    ledger.register(root, [seen(name) for name in names])

    def below(folder: str) -> list[bytes]:
        return [path for page in ledger.present(root, folder.encode()) for _, path in page]

    assert below("a") == [b"a/1", b"a/b/2"]
    assert below("a%") == [b"a%/4"]
    assert below("a_") == [b"a_/5"]
    assert below("a/b") == [b"a/b/2"]
    assert len(below("")) == 7
    assert ledger.newest_id() == 7
    assert [row for page in ledger.present(root, up_to=3) for row, _ in page] == [1, 2, 3]


# Feeders


def test_the_oldest_pending_are_taken_first_up_to_the_limit(ledger: Ledger, root: int) -> None:
    ids = builders.register(ledger, root, 5)

    taken = ledger.take_pending(3)

    assert [image.id for image in taken] == sorted(ids)[:3]
    assert {image.attempts for image in taken} == {0}
    assert (ledger.queued(), ledger.pending(10), ledger.pending(1)) == (3, 2, 1)
    assert row(ledger, ids[0])["queued_at"] is not None
    assert ledger.take_pending(0) == []


def test_a_deferred_image_waits_for_its_time(ledger: Ledger, root: int) -> None:
    late, soon = builders.running(ledger, root, 2)

    commit(ledger, Deferred(late, 60.0), Deferred(soon, -0.1))

    assert status(ledger, late, soon) == ["pending", "pending"]
    assert ledger.pending(9) == 1
    assert [image.id for image in ledger.take_pending(9)] == [soon]
    assert row(ledger, soon)["not_before"] is None


def test_only_overdue_images_count_as_lost(ledger: Ledger, root: int) -> None:
    ids = builders.queued(ledger, root, 2)

    assert ledger.queued_ids(60.0) == []
    assert sorted(ledger.queued_ids(-1.0)) == sorted(ids)


def test_unqueue_returns_some_or_all_that_are_still_queued(ledger: Ledger, root: int) -> None:
    a, b, c = builders.queued(ledger, root, 3)
    ledger.claim([c], "w", 60, MODEL_ID)

    assert ledger.unqueue([a, c]) == 1
    assert ledger.unqueue([]) == 0
    assert status(ledger, a, b, c) == ["pending", "queued", "running"]
    assert ledger.unqueue() == 1
    assert status(ledger, a, b, c) == ["pending", "pending", "running"]


def test_any_number_of_ids_may_be_given(ledger: Ledger, root: int) -> None:
    ids = builders.queued(ledger, root, 3)
    many = [*range(10_000, 80_000), *ids]

    assert ledger.unqueue(many) == 3
    assert ledger.mark_missing(many) == 3
    assert ledger.retry(image_ids=many) == 0


# Workers


def test_a_claim_takes_the_queued_ones_alone(ledger: Ledger, root: int) -> None:
    a, b = builders.queued(ledger, root, 2)
    (c,) = builders.register(ledger, root, 1, prefix="c")

    claimed = ledger.claim([c, b, b, 999, a], "w", 60, MODEL_ID)

    assert [(image.id, image.path, image.size_bytes) for image in claimed] == [
        (a, b"0.jpg", 10),
        (b, b"1.jpg", 10),
    ]
    assert ledger.claim([a, b, c], "another", 60, MODEL_ID) == []
    assert status(ledger, a, b, c) == ["running", "running", "pending"]


def test_a_claim_may_be_repeated_as_when_its_answer_was_lost(ledger: Ledger, root: int) -> None:
    ids = builders.queued(ledger, root, 2)
    first = ledger.claim(ids, "w", 60, MODEL_ID)

    assert ledger.claim(ids, "w", 60, MODEL_ID) == first


def test_a_lapsed_lease_returns_the_images_and_a_renewed_one_does_not(ledger: Ledger, root: int) -> None:
    (held,) = builders.running(ledger, root, 1, "alive", lease=0.05)
    (lapsed,) = builders.queued(ledger, root, 1, "x")
    ledger.claim([lapsed], "dead", 0.05, MODEL_ID)
    assert ledger.renew("alive", 60) == 1
    time.sleep(0.06)

    assert ledger.free_lapsed() == 1

    assert status(ledger, held, lapsed) == ["running", "pending"]
    assert (row(ledger, lapsed)["worker"], row(ledger, lapsed)["lease_until"]) == (None, None)
    assert ledger.renew("dead", 60) == 0


def test_release_returns_what_one_worker_holds(ledger: Ledger, root: int) -> None:
    (a,) = builders.running(ledger, root, 1, "a")
    (b,) = [image.id for image in ledger.claim(builders.queued(ledger, root, 1, "x"), "b", 60, MODEL_ID)]

    assert ledger.release("a") == 1
    assert ledger.release("a") == 0

    assert status(ledger, a, b) == ["pending", "running"]


def test_a_commit_stores_contents_results_and_states_at_once(ledger: Ledger, root: int) -> None:
    new, same, bad, gone, later = builders.running(ledger, root, 5)

    commit(
        ledger,
        done(new, "dog", content()),
        done(same, "dog", content()),
        Failed(bad, "corrupt", "x" * 9_999),
        Gone(gone),
        Deferred(later, 60),
    )

    assert status(ledger, new, same, bad, gone, later) == ["done", "done", "failed", "missing", "pending"]
    assert row(ledger, new)["content_id"] == row(ledger, same)["content_id"] is not None
    for image_id in (new, same, bad, gone, later):
        assert (row(ledger, image_id)["worker"], row(ledger, image_id)["lease_until"]) == (None, None)
    assert len(row(ledger, bad)["error_message"]) == 500
    assert query(ledger, "SELECT sha256, format, width, height FROM contents") == [
        (sha("dog"), "JPEG", 640, 480)
    ]
    assert query(ledger, "SELECT engine, precision, decode FROM classifications") == [
        ("torch", "fp32", "draft")
    ]
    assert query(ledger, "SELECT rank, class_index, score FROM predictions ORDER BY rank") == [
        (1, 1, 0.7),
        (2, 2, 0.2),
        (3, 0, 0.1),
    ]
    assert query(ledger, "SELECT wnid, score FROM tags") == [("c_dog", 0.9)]


def test_what_was_read_counts_and_not_what_was_registered(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)

    commit(ledger, Done(image_id, sha("dog"), 77, 88, content()))

    assert ledger.register(root, [seen("0.jpg", 77, 88)]).unchanged == 1


def test_known_content_is_done_without_being_stored_again(ledger: Ledger, root: int) -> None:
    first, second = builders.running(ledger, root, 2)
    commit(ledger, done(first, "dog", content()))
    assert ledger.classified([sha("dog"), sha("cat")], 1) == {sha("dog")}
    assert ledger.classified([sha("dog")], 2) == set()
    assert ledger.classified([], 1) == set()

    commit(ledger, done(second, "dog"))

    assert row(ledger, second)["content_id"] == row(ledger, first)["content_id"]


def test_a_second_answer_for_the_same_content_changes_nothing(ledger: Ledger, root: int) -> None:
    first, second = builders.running(ledger, root, 2)
    commit(ledger, done(first, "dog", content()))
    before = query(ledger, "SELECT * FROM results")

    commit(ledger, done(second, "dog", content(top=((3, 0.5), (0, 0.3), (1, 0.2)), tags=(("c_cat", 0.8),))))

    assert [found[2:] for found in query(ledger, "SELECT * FROM results WHERE path = '1.jpg'")] == [
        found[2:] for found in before
    ]
    assert query(ledger, "SELECT DISTINCT category FROM image_tags") == [("dog",)]


def test_feature_vectors_are_stored_with_the_first_answer(ledger: Ledger, root: int) -> None:
    first, second, without = builders.running(ledger, root, 3)

    commit(ledger, done(first, "dog", replace(content(), features=b"\0" * 1024)))
    commit(ledger, done(second, "dog", replace(content(), features=b"\1" * 1024)))
    commit(ledger, done(without, "cat", content()))

    ((vector,),) = query(ledger, "SELECT vector FROM features")
    assert bytes(vector) == b"\0" * 1024


def test_a_failed_second_reading_keeps_the_results_of_the_first(ledger: Ledger, root: int) -> None:
    # Given an image with results that is read once more
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, done(image_id, "dog", content()))
    before = query(ledger, "SELECT * FROM results")
    builders.execute(ledger, f"UPDATE images SET status = 'running', worker = 'w' WHERE id = {image_id}")

    # When it cannot be read this time
    commit(ledger, Failed(image_id, "unreadable", "The file may not be read by this user."))

    # Then it is a failure that still shows what is known of it, until the file changes
    assert status(ledger, image_id) == ["failed"]
    assert query(ledger, "SELECT * FROM results") == before != []
    ledger.register(root, [seen("0.jpg", mtime=2)])
    assert query(ledger, "SELECT * FROM results") == []


@pytest.mark.parametrize(
    "other",
    [{"ctime": 2}, {"inode": 2}, {"ctime": 2, "inode": None}],
    ids=["ctime", "inode", "ctime where inodes are not kept"],
)
def test_a_file_in_doubt_is_read_again_and_keeps_its_results_until_then(
    ledger: Ledger, root: int, other: dict[str, Any]
) -> None:
    # Given an image with results
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, done(image_id, "dog", content()))
    before = query(ledger, "SELECT * FROM results")

    # When it has the size and the time that it had, and may be another file all the same
    result = ledger.register(root, [seen("0.jpg", **other)])

    # Then it waits, and once is enough
    assert (result.changed, status(ledger, image_id)) == (1, ["pending"])
    assert query(ledger, "SELECT * FROM results") == before != []
    assert ledger.register(root, [seen("0.jpg", **other)]).unchanged == 1


def test_an_inode_that_is_not_known_says_nothing(ledger: Ledger, root: int) -> None:
    ledger.register(root, [seen("a.jpg", inode=None), seen("b.jpg", inode=7)])

    assert ledger.register(root, [seen("a.jpg", inode=7), seen("b.jpg", inode=None)]).unchanged == 2


def test_a_file_that_is_named_again_is_read_though_its_stat_is_the_same(ledger: Ledger, root: int) -> None:
    named, other, held = builders.running(ledger, root, 3)
    commit(ledger, done(named, "dog", content()), done(other, "dog", content()))
    files = [seen(f"{number}.jpg") for number in range(3)]

    result = ledger.register(root, files, again={b"0.jpg", b"2.jpg"})

    assert (result.changed, result.unchanged) == (2, 1)
    assert status(ledger, named, other, held) == ["pending", "done", "pending"]
    assert row(ledger, held)["worker"] is None


@pytest.mark.parametrize(("word", "kept"), [("dog", True), ("cat", False)], ids=["the same", "others"])
def test_a_failure_of_other_bytes_does_not_keep_the_results_of_the_former_ones(
    ledger: Ledger, root: int, word: str, kept: bool
) -> None:
    # Given an image with results that is in doubt
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, done(image_id, "dog", content()))
    ledger.register(root, [seen("0.jpg", ctime=2)])
    ledger.take_pending(1)
    ledger.claim([image_id], "w", 60, MODEL_ID)

    # When its bytes, whether they are the former ones or not, cannot be decoded
    commit(ledger, Failed(image_id, "corrupt", "The picture is damaged.", sha(word)))

    # Then only what belongs to these bytes shows
    assert (query(ledger, "SELECT * FROM results") != []) == kept


def test_to_commit_twice_changes_nothing(ledger: Ledger, root: int) -> None:
    a, b, c = builders.running(ledger, root, 3)
    outcomes: list[Outcome] = [done(a, "dog", content()), Failed(b, "corrupt", "It is damaged."), Gone(c)]
    commit(ledger, *outcomes)
    before = [row(ledger, image_id) for image_id in (a, b, c)]

    commit(ledger, *outcomes)

    assert [row(ledger, image_id) for image_id in (a, b, c)] == before


def test_a_commit_after_the_lease_was_lost_leaves_the_image_to_its_new_holder(
    ledger: Ledger, root: int
) -> None:
    a, b = builders.running(ledger, root, 2, "slow", lease=-1)
    ledger.free_lapsed()
    ledger.take_pending(1)
    ledger.claim([a], "fast", 60, MODEL_ID)

    commit(ledger, Failed(a, "corrupt", "No."), done(b, "dog", content()), worker="slow")

    assert status(ledger, a, b) == ["running", "pending"]
    assert row(ledger, a)["worker"] == "fast"
    assert ledger.classified([sha("dog")], 1) == {sha("dog")}


def test_an_empty_commit_is_nothing(ledger: Ledger) -> None:
    commit(ledger)


def test_an_image_is_failed_once_it_killed_enough_workers(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)

    for attempt in (1, 2):
        ledger.blame(image_id, "crashed_worker", "It crashes.", attempts=3)
        found = row(ledger, image_id)
        assert (found["status"], found["attempts"], found["worker"]) == ("pending", attempt, None)
        assert found["error_code"] is None
        (taken,) = ledger.take_pending(9)
        assert (taken.id, taken.attempts) == (image_id, attempt)
        (claimed,) = ledger.claim([image_id], "w", 60, MODEL_ID)
        assert claimed.attempts == attempt
    ledger.blame(image_id, "crashed_worker", "It crashes.", attempts=3)

    assert query(ledger, "SELECT root, path, error_code, error_message, attempts FROM failures") == [
        ("photos", "0.jpg", "crashed_worker", "It crashes.", 3)
    ]


def test_the_one_attempt_that_is_given_is_the_last(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)

    ledger.blame(image_id, "timeout", "It takes too long.", attempts=1)

    assert status(ledger, image_id) == ["failed"]


def test_an_image_that_ended_meanwhile_is_not_blamed(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, done(image_id, "dog", content()))

    ledger.blame(image_id, "crashed_worker", "It crashes.", attempts=1)

    assert status(ledger, image_id) == ["done"]


def test_a_suspect_that_is_classified_is_cleared(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)
    ledger.blame(image_id, "crashed_worker", "It crashes.", attempts=3)
    ledger.take_pending(1)
    ledger.claim([image_id], "w", 60, MODEL_ID)

    commit(ledger, done(image_id, "dog", content()))

    assert row(ledger, image_id)["attempts"] == 0


# People


def test_failed_images_are_retried_by_code_and_by_id(ledger: Ledger, root: int) -> None:
    a, b, c, d = builders.running(ledger, root, 4)
    commit(
        ledger,
        Failed(a, "corrupt", "A."),
        Failed(b, "timeout", "B."),
        Failed(c, "corrupt", "C."),
        done(d, "dog", content()),
    )

    assert ledger.retry(code="corrupt", image_ids=[a, b, d]) == 1
    assert status(ledger, a, b, c, d) == ["pending", "failed", "failed", "done"]
    assert row(ledger, a)["error_code"] is None
    assert ledger.retry(image_ids=[]) == 0
    assert ledger.retry() == 2
    assert status(ledger, a, b, c, d) == ["pending", "pending", "pending", "done"]


def test_active_counts_leave_out_what_has_ended(ledger: Ledger, root: int) -> None:
    (a, *_) = builders.running(ledger, root, 3)
    commit(ledger, done(a, "dog", content()))

    assert ledger.counts(active=True) == {"pending": 0, "queued": 0, "running": 2}
    assert ledger.counts()["done"] == 1


# The views


def test_the_views_show_results_tags_and_failures(ledger: Ledger, root: int) -> None:
    dog, cat, bad, waiting = builders.running(ledger, root, 4)
    taken = datetime(2023, 7, 4, 12, 30)
    beagle = content(tags=(("c_dog", builders.TAG_THRESHOLD), ("c_cat", builders.TAG_THRESHOLD - 0.01)))
    tabby = NewContent("PNG", 9, 8, taken, "Cam", [(0, 0.6), (3, 0.3), (2, 0.1)], [("c_cat", 0.6)])
    commit(
        ledger,
        done(dog, "dog", beagle),
        done(cat, "cat", tabby),
        Failed(bad, "empty", "The file is empty."),
    )

    assert query(
        ledger,
        "SELECT root, path, rank, label, label_zh, wnid, score, model, engine, precision, taken_month, "
        "sha256 FROM results WHERE path = '1.jpg' ORDER BY rank",
    ) == [
        ("photos", "1.jpg", 1, "tabby", "虎斑猫", "n0", 0.6, "tiny", "torch", "fp32", "2023-07", sha("cat")),
        ("photos", "1.jpg", 2, "volcano", "火山", "n3", 0.3, "tiny", "torch", "fp32", "2023-07", sha("cat")),
        ("photos", "1.jpg", 3, "pug", "巴哥犬", "n2", 0.1, "tiny", "torch", "fp32", "2023-07", sha("cat")),
    ]
    assert query(
        ledger, "SELECT path, label, label_zh, wnid, score, model, taken_month FROM top1 ORDER BY path"
    ) == [
        ("0.jpg", "beagle", "比格犬", "n1", 0.7, "tiny", None),
        ("1.jpg", "tabby", "虎斑猫", "n0", 0.6, "tiny", "2023-07"),
    ]
    assert query(
        ledger, "SELECT path, category, category_zh, wnid, score, sha256 FROM image_tags ORDER BY path"
    ) == [
        ("0.jpg", "dog", "狗", "c_dog", 0.5, sha("dog")),
        ("1.jpg", "cat", "猫", "c_cat", 0.6, sha("cat")),
    ]
    assert query(ledger, "SELECT root, path, error_code, error_message, attempts FROM failures") == [
        ("photos", "2.jpg", "empty", "The file is empty.", 0)
    ]
    assert status(ledger, waiting) == ["running"]


def test_copies_of_a_photo_each_have_their_rows(ledger: Ledger, root: int) -> None:
    a, b = builders.running(ledger, root, 2)

    commit(ledger, done(a, "dog", content()), done(b, "dog", content()))

    assert query(ledger, "SELECT count(*) FROM results") == [(6,)]
    assert query(ledger, "SELECT count(*) FROM top1") == [(2,)]


def test_top1_follows_the_current_model(ledger: Ledger, root: int) -> None:
    (image_id,) = builders.running(ledger, root, 1)
    commit(ledger, done(image_id, "dog", content()))

    builders.execute(ledger, "UPDATE models SET is_current = (1 = 0)")

    assert query(ledger, "SELECT * FROM top1") == query(ledger, "SELECT * FROM image_tags") == []
    assert query(ledger, "SELECT count(*) FROM results") == [(3,)]


def test_a_lease_from_before_the_clock_was_set_back_is_no_lease(ledger: Ledger, root: int) -> None:
    builders.running(ledger, root, 1, "ahead", lease=3600)

    assert ledger.free_lapsed() == 1
