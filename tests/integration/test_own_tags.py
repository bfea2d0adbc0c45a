"""Own tags: learned from a few examples, given to the collection and to what comes later."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tagtray.app import refresher
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db import own_tags
from tagtray.db.access.transactions import write
from tagtray.db.ledger import Ledger
from tagtray.learn import corrections, overview, review, similar, teaching
from tagtray.learn.teaching import Learned
from tagtray.search.find import Search
from tests import builders, lessons
from tests.lessons import Photos


@pytest.fixture
def photos(ledger: Ledger, root: int) -> Photos:
    """Sixty boats and 300 other photos."""
    return lessons.collection(ledger, root, {"boat": 60, **lessons.others(300)})


def teach(ledger: Ledger, name: str, shows: list[int], shows_not: list[int] | None = None) -> Learned:
    wnid = teaching.say(ledger.engine, name, shows, shows_not or [], "ann")
    return teaching.learn(ledger.engine, wnid)


def found(ledger: Ledger, name: str = "our boat") -> list[str]:
    """The kinds of the photos that were found, without the examples."""
    rows = builders.query(
        ledger, f"SELECT path FROM image_tags WHERE category = '{name}' AND origin = 'taught'"
    )
    return [path.partition("/")[0] for (path,) in rows]


def test_ten_examples_find_the_others(ledger: Ledger, photos: Photos) -> None:
    learned = teach(ledger, "our boat", list(photos.contents["boat"][:10]))

    kinds = found(ledger)
    assert kinds.count("boat") >= 40
    assert kinds.count("boat") >= 0.9 * len(kinds)
    assert learned.reason is None and learned.precision >= 0.9 and learned.examples == 10


def test_examples_always_show_it_and_counter_examples_never(ledger: Ledger, photos: Photos) -> None:
    shows, shows_not = list(photos.contents["boat"][:10]), list(photos.contents["boat"][10:13])

    teach(ledger, "our boat", shows, shows_not)

    rows = builders.query(
        ledger,
        "SELECT i.content_id, v.score, v.origin FROM image_tags v JOIN images i ON i.path = v.path "
        "WHERE v.category = 'our boat'",
    )
    by_content = {content: (score, origin) for content, score, origin in rows}
    assert all(by_content[content] == (1.0, "person") for content in shows)
    assert not by_content.keys() & set(shows_not)


def test_new_photos_get_it_as_they_are_classified(ledger: Ledger, root: int, photos: Photos) -> None:
    teach(ledger, "our boat", list(photos.contents["boat"][:10]))
    before = found(ledger).count("boat")

    lessons.collection(ledger, root, {"boat": 10, "other3": 10}, seed=1)

    kinds = found(ledger)
    assert kinds.count("boat") >= before + 8
    assert kinds.count("boat") >= 0.9 * len(kinds)


def test_it_is_a_tag_like_any_other(ledger: Ledger, photos: Photos) -> None:
    teach(ledger, "our boat", list(photos.contents["boat"][:10]))

    with ledger.engine.connect() as connection:
        hits = Search(connection, "our boat -cat").page(connection, 1000).hits

    assert len(hits) == len(found(ledger)) + 10
    assert hits[0].score == 1.0


def test_one_example_is_kept_until_there_are_enough(ledger: Ledger, photos: Photos) -> None:
    boats = list(photos.contents["boat"])

    first = teach(ledger, "our boat", boats[:1])
    assert first.reason == "1 example; from 5 on it is looked for on other photos"
    assert found(ledger) == []

    second = teach(ledger, "our boat", boats[1:10])
    assert second.examples == 10 and second.reason is None


def test_a_photo_cannot_be_both(ledger: Ledger, photos: Photos) -> None:
    boats = list(photos.contents["boat"])

    with pytest.raises(UsageError, match="A photo cannot show a tag and not show it"):
        teach(ledger, "our boat", boats[:6], boats[5:7])

    assert overview.load(ledger.engine) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dog", '"dog" is a category of the model already'),
        ("Beagle", '"Beagle" is a class of the model already: another name'),
        ("  ", "A tag needs a name"),
        ("+boat", "does not begin with"),
        ("..", "does not begin with"),
        ("a/b", "none of"),
        ("a|b", "none of"),
        ("a\u202eb", "printable"),
        ("x" * 101, "100 characters"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(ledger: Ledger, root: int, name: str, sentence: str) -> None:
    boats = lessons.collection(ledger, root, {"boat": 10}).contents["boat"]

    with pytest.raises(UsageError, match=sentence):
        teach(ledger, name, list(boats))

    assert overview.load(ledger.engine) == []


@pytest.mark.parametrize("name", ["奶奶的花园", "Käthes Böötchen", "👵 garden", "d'oh; DROP TABLE"])
def test_a_name_is_any_text(ledger: Ledger, photos: Photos, name: str) -> None:
    teach(ledger, name, list(photos.contents["boat"][:10]))

    with ledger.engine.connect() as connection:
        assert Search(connection, f'"{name}"').page(connection, 1000).hits
        assert own_tags.named(connection, name.upper()) == own_tags.named(connection, name)


def test_what_fits_everything_is_on_nothing(ledger: Ledger, photos: Photos) -> None:
    anything = [contents[0] for contents in photos.contents.values()][:20]

    learned = teach(ledger, "photo", anything)

    assert learned.reason is not None
    assert len(found(ledger, "photo")) <= 36
    assert len(builders.query(ledger, "SELECT 1 FROM image_tags WHERE category = 'photo'")) >= 20


def test_too_small_a_collection_is_said(ledger: Ledger, root: int) -> None:
    few = lessons.collection(ledger, root, {"boat": 10, "other1": 5})

    learned = teach(ledger, "our boat", list(few.contents["boat"][:6]))

    assert learned.reason == "only 9 other photos are classified; it takes 30 to tell it from"


def test_a_verdict_is_an_example(ledger: Ledger, photos: Photos) -> None:
    # Given a tag, and a photo that was found by mistake
    boats = list(photos.contents["boat"])
    wnid = teach(ledger, "our boat", boats[:10]).wnid

    # When that is said
    said = corrections.correct(ledger.engine, [boats[20]], [], ["our boat"], "ann")

    # Then it is off the photo at once, and what was learned is out of date until it is learned again
    assert said.own_tags == [wnid] == teaching.outdated(ledger.engine)
    learned = teaching.learn(ledger.engine, wnid)
    assert learned.counter_examples == 1 and teaching.outdated(ledger.engine) == []
    assert found(ledger).count("boat") <= 49


def test_what_was_learned_is_back_when_a_verdict_is_taken_back(ledger: Ledger, photos: Photos) -> None:
    boats = list(photos.contents["boat"])
    wnid = teach(ledger, "our boat", boats[:10]).wnid
    before = sorted(found(ledger))
    corrections.correct(ledger.engine, [boats[20]], [], ["our boat"], "ann")
    teaching.learn(ledger.engine, wnid)

    corrections.undo(ledger.engine, boats[20])
    teaching.learn(ledger.engine, wnid)

    assert sorted(found(ledger)) == before


def test_rename_and_parent(ledger: Ledger, photos: Photos) -> None:
    wnid = teach(ledger, "our boat", list(photos.contents["boat"][:10])).wnid

    write(ledger.engine, lambda connection: own_tags.rename(connection, wnid, "Titanic"))
    write(ledger.engine, lambda connection: own_tags.set_parent(connection, wnid, "c_dog"))

    (facts,) = overview.load(ledger.engine)
    assert (facts.name, facts.parent, facts.examples, facts.is_up_to_date) == ("Titanic", "dog", 10, True)
    assert facts.photos == len(found(ledger, "Titanic")) + 10


def test_what_is_forgotten_is_gone(ledger: Ledger, photos: Photos) -> None:
    boats = list(photos.contents["boat"])
    wnid = teach(ledger, "our boat", boats[:10]).wnid

    assert write(ledger.engine, lambda connection: own_tags.forget(connection, wnid)) == 10

    assert overview.load(ledger.engine) == []
    assert builders.query(ledger, "SELECT 1 FROM image_tags WHERE category = 'our boat'") == []
    with pytest.raises(UsageError, match="was forgotten meanwhile"):
        teaching.learn(ledger.engine, wnid)


def test_two_people_teach_at_once(ledger: Ledger, photos: Photos) -> None:
    boats = list(photos.contents["boat"])

    with ThreadPoolExecutor(4) as pool:
        parts = [boats[start : start + 5] for start in range(0, 20, 5)]
        list(pool.map(lambda part: teach(ledger, "our boat", part), parts))

    (facts,) = overview.load(ledger.engine)
    assert facts.examples == 20 and facts.is_up_to_date
    assert found(ledger).count("boat") >= 30


def test_photos_without_features_are_waited_for(ledger: Ledger, root: int, photos: Photos) -> None:
    bare, _ = lessons.classify(ledger, root, "bare", [None] * 3)

    learned = teach(ledger, "our boat", [*photos.contents["boat"][:10], *bare])

    assert (learned.examples, learned.waiting, learned.reason) == (13, 3, None)


def test_similar_photos_are_of_its_kind(ledger: Ledger, host: Settings, root: int, photos: Photos) -> None:
    boat = photos.contents["boat"][0]

    first = similar.similar(ledger.engine, host, boat, 10)
    later = lessons.collection(ledger, root, {"boat": 5}, seed=1).contents["boat"]
    second = similar.similar(ledger.engine, host, boat, 64)

    assert {one.photo.path.partition("/")[0] for one in first} == {"boat"}
    assert [one.cosine for one in first] == sorted((one.cosine for one in first), reverse=True)
    assert boat not in {one.photo.content_id for one in second}
    assert set(later) <= {one.photo.content_id for one in second}


def test_a_review_offers_photos_that_nobody_has_judged(
    ledger: Ledger, host: Settings, photos: Photos
) -> None:
    boats = list(photos.contents["boat"])
    few = teach(ledger, "our boat", boats[:2])
    like = review.candidates(ledger.engine, host, few.wnid, 5)
    learned = teach(ledger, "our boat", boats[2:10])

    asked = review.candidates(ledger.engine, host, learned.wnid, 8)

    assert [one.photo.path.partition("/")[0] for one in like] == ["boat"] * 5
    assert {one.score for one in like} == {None}
    assert len({one.photo.content_id for one in asked} - set(boats[:10])) == 8
    assert all(one.score is not None for one in asked)


def test_another_model_learns_from_the_same_examples(ledger: Ledger, root: int, photos: Photos) -> None:
    # Given a tag, and another model that becomes the current one
    teach(ledger, "our boat", list(photos.contents["boat"][:10]))
    before = sorted(found(ledger))
    other = builders.add_model(ledger, "1" * 64)
    builders.execute(ledger, f"INSERT INTO thresholds (model_id, wnid, score) VALUES ({other}, '', 0.5)")
    builders.use_model(ledger, other)

    # While nothing is classified by it, nothing is lost and nothing is learned
    assert refresher.refresh(ledger.engine) == 0
    assert overview.load(ledger.engine)[0].examples == 10

    # When it has classified the photos, in vectors of its own
    lessons.classify_again(ledger, photos, other)
    assert refresher.refresh(ledger.engine) == 1

    # Then the examples are there, and so are others like them
    kinds = found(ledger)
    assert kinds.count("boat") >= 40 and kinds.count("boat") >= 0.9 * len(kinds)
    assert refresher.refresh(ledger.engine) == 0
    rows = builders.query(ledger, "SELECT 1 FROM image_tags WHERE origin = 'person'")
    assert len(rows) == 10

    # And the former model has what it had
    builders.use_model(ledger, builders.MODEL_ID)
    assert sorted(found(ledger)) == before


def test_a_collection_that_has_grown_is_learned_from_anew(ledger: Ledger, root: int, photos: Photos) -> None:
    teach(ledger, "our boat", list(photos.contents["boat"][:10]))
    assert refresher.refresh(ledger.engine) == 0

    lessons.collection(ledger, root, lessons.others(400), seed=1)

    assert refresher.refresh(ledger.engine) == 1
    assert refresher.refresh(ledger.engine) == 0


def test_its_very_name_comes_before_another_word_for_a_class(ledger: Ledger, photos: Photos) -> None:
    teach(ledger, "mops", list(photos.contents["boat"][:10]))

    with ledger.engine.connect() as connection:
        hits = Search(connection, "mops").page(connection, 1000).hits

    assert {hit.path.partition("/")[0] for hit in hits[:10]} == {"boat"}


def test_vectors_of_another_length_disturb_nobody(
    ledger: Ledger, host: Settings, root: int, photos: Photos
) -> None:
    odd, _ = lessons.classify(ledger, root, "odd", [b"", b"abc", bytes(6), bytes(128)])

    learned = teach(ledger, "our boat", [*photos.contents["boat"][:10], odd[2]])

    assert (learned.reason, learned.waiting) == (None, 1)
    near = similar.similar(ledger.engine, host, photos.contents["boat"][0], 20)
    assert not {one.photo.content_id for one in near} & set(odd)
    with pytest.raises(UsageError, match="has no features of the model tiny yet"):
        similar.similar(ledger.engine, host, odd[0], 3)


def test_too_few_examples_that_are_left_withdraw_what_was_learned(ledger: Ledger, photos: Photos) -> None:
    boats = list(photos.contents["boat"])
    wnid = teach(ledger, "our boat", boats[:6]).wnid
    assert found(ledger)

    for boat in boats[:2]:
        corrections.undo(ledger.engine, boat)
    learned = teaching.learn(ledger.engine, wnid)

    assert learned.reason == "4 examples; from 5 on it is looked for on other photos"
    assert found(ledger) == []
    assert len(builders.query(ledger, "SELECT 1 FROM image_tags WHERE category = 'our boat'")) == 4


def test_a_category_finds_the_own_tags_below_it(ledger: Ledger, photos: Photos) -> None:
    boats = list(photos.contents["boat"])
    wnid = teach(ledger, "our boat", boats[:10]).wnid
    write(ledger.engine, lambda connection: own_tags.set_parent(connection, wnid, "c_cat"))

    with ledger.engine.connect() as connection:
        cats = Search(connection, "cat").page(connection, 1000).hits
        neither = Search(connection, "dog -cat").page(connection, 1000).hits

    assert len(cats) == len(found(ledger)) + 10
    assert not {hit.image_id for hit in cats} & {hit.image_id for hit in neither}
