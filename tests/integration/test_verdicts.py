"""What people say of photos stands over what models find: now, later, and until it is taken back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tagtray.config.errors import UsageError
from tagtray.db.ledger import Ledger
from tagtray.db.places import merging
from tagtray.db.records import Done, Provenance
from tagtray.learn import corrections
from tests import builders, lessons


@pytest.fixture
def beagle(ledger: Ledger, root: int) -> int:
    """A content that the model takes for a dog."""
    (content_id,), _ = lessons.classify(ledger, root, "beagle", [None])
    return content_id


def tags(ledger: Ledger) -> list[tuple[str, float, str]]:
    """What the view shows, by name."""
    return builders.query(ledger, "SELECT category, score, origin FROM image_tags ORDER BY category")


def say(ledger: Ledger, content_id: int, *names: str) -> int:
    shows = [name[1:] for name in names if name.startswith("+")]
    shows_not = [name[1:] for name in names if name.startswith("-")]
    return corrections.correct(ledger.engine, [content_id], shows, shows_not, "ann").verdicts


def test_a_rejected_tag_is_gone_and_a_confirmed_one_is_there(ledger: Ledger, beagle: int) -> None:
    assert tags(ledger) == [("dog", 0.9, "model")]

    assert say(ledger, beagle, "-dog", "+cat") == 2

    assert tags(ledger) == [("cat", 1.0, "person")]


def test_to_say_it_again_changes_nothing(ledger: Ledger, beagle: int) -> None:
    assert say(ledger, beagle, "-dog") == 1
    assert say(ledger, beagle, "-dog") == 0

    assert len(corrections.history(ledger.engine, beagle)) == 1


def test_undo_takes_back_what_was_said_last_step_by_step(ledger: Ledger, beagle: int) -> None:
    # Given three steps
    say(ledger, beagle, "-dog")
    say(ledger, beagle, "+dog", "+cat")
    assert tags(ledger) == [("cat", 1.0, "person"), ("dog", 1.0, "person")]

    # When they are taken back one after the other
    undone, _ = corrections.undo(ledger.engine, beagle)
    assert sorted(entry.tag for entry in undone) == ["cat", "dog"]

    # Then what was said before counts, and at the end what the model found
    assert tags(ledger) == []
    corrections.undo(ledger.engine, beagle)
    assert tags(ledger) == [("dog", 0.9, "model")]
    assert corrections.undo(ledger.engine, beagle) == ([], [])


def test_the_history_has_all_that_was_ever_said(ledger: Ledger, beagle: int) -> None:
    say(ledger, beagle, "-dog")
    say(ledger, beagle, "+dog")
    corrections.undo(ledger.engine, beagle)

    history = corrections.history(ledger.engine, beagle)

    assert [(entry.tag, entry.shows, entry.said_by) for entry in history] == [
        ("dog", False, "ann"),
        ("dog", True, "ann"),
    ]
    assert [entry.ended_at is None for entry in history] == [True, False]


def test_a_verdict_outlives_the_model(ledger: Ledger, root: int, beagle: int) -> None:
    # Given a dog that is none
    say(ledger, beagle, "-dog", "+cat")

    # When another model becomes the current one, which takes it for a dog as well
    other = builders.add_model(ledger, "1" * 64)
    builders.use_model(ledger, other)
    assert tags(ledger) == []
    _classify_again(ledger, other)

    # Then it is none still; and the new model's answer is what is left when that is taken back
    assert tags(ledger) == [("cat", 1.0, "person")]
    corrections.undo(ledger.engine, beagle)
    assert tags(ledger) == [("dog", 0.9, "model")]


def _classify_again(ledger: Ledger, model_id: int) -> None:
    builders.execute(ledger, "UPDATE images SET status = 'queued'")
    builders.execute(ledger, f"INSERT INTO thresholds (model_id, wnid, score) VALUES ({model_id}, '', 0.5)")
    found = builders.query(
        ledger, "SELECT i.id, k.sha256 FROM images i JOIN contents k ON k.id = i.content_id"
    )
    ledger.claim([image for image, _ in found], "w", 60.0, model_id)
    provenance = Provenance(model_id, "torch", "fp32", "draft")
    ledger.commit(
        "w",
        provenance,
        [Done(image, sha, 10, 1, builders.content()) for image, sha in found],
    )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (["+unicorn"], 'No tag is called "unicorn"'),
        (["+beagle"], '"beagle" is a class and no tag: take "dog", or teach'),
        (["+carnivore"], '"carnivore" is a category of WordNet\'s alone and no tag: '),
        (["+dog", "-dog"], '"dog" cannot be on a photo and not be on it'),
    ],
)
def test_what_cannot_be_said_is_refused_and_nothing_is_changed(
    ledger: Ledger, beagle: int, said: list[str], sentence: str
) -> None:
    builders.execute(
        ledger,
        "INSERT INTO categories (wnid, name, name_zh, aliases, icon, curated, everyday)"
        " VALUES ('c_carnivore', 'carnivore', '', '', '', false, false)",
    )
    with pytest.raises(UsageError, match=sentence):
        say(ledger, beagle, "+cat", *said)

    assert tags(ledger) == [("dog", 0.9, "model")]


def test_many_people_say_something_at_once(ledger: Ledger, beagle: int) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: say(ledger, beagle, "+-"[number % 2] + "dog"), range(12)))

    counting = [entry for entry in corrections.history(ledger.engine, beagle) if entry.ended_at is None]
    assert len(counting) == 1
    assert tags(ledger) == ([("dog", 1.0, "person")] if counting[0].shows else [])


def test_photos_that_somebody_judged_are_not_forgotten_with_their_root(
    ledger: Ledger, root: int, beagle: int
) -> None:
    say(ledger, beagle, "-dog")
    merging.remove(ledger.engine, root, forget=True)

    assert len(corrections.history(ledger.engine, beagle)) == 1
