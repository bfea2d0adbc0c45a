"""Search on both databases, held against a reference that looks at every photo by itself."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import NewContent
from tagtray.search import planning, words
from tagtray.search.find import Hit, Search
from tagtray.search.query import Order
from tests import builders

PHOTOS = 60
CAMERAS = ("Canon R5", "Nikon Z6", None)
START = datetime(2023, 11, 1, 12)


@dataclass(frozen=True)
class Photo:
    """What the reference knows of an image."""

    path: str
    top: dict[str, float]
    tags: dict[str, float]
    taken_at: datetime | None
    camera: str | None

    def score(self, word: str, floor: float | None) -> float | None:
        known = {"cat": "c_cat", "dog": "c_dog"}
        found = self.tags.get(known[word]) if word in known else self.top.get(word)
        least = {True: builders.TAG_THRESHOLD, False: 0.1}[word in known] if floor is None else floor
        return found if found is not None and found >= least else None


@pytest.fixture
def photos(ledger: Ledger, host: Settings) -> list[Photo]:
    """A ledger of random photos: some are copies, some are missing, some failed, some have no date."""
    chance = random.Random(7)
    root = builders.root(ledger, host)
    ids = builders.running(ledger, root.id, PHOTOS)
    found: list[Photo] = []
    new, copies = [], []
    for number, image_id in enumerate(ids):
        photo = _photo(chance, f"{number}.jpg")
        if number % 9 == 8:
            photo = replace(found[-1], path=photo.path)
            copies.append(builders.done(image_id, f"{number - 1}", None))
        else:
            new.append(builders.done(image_id, f"{number}", _content(photo)))
        found.append(photo)
    builders.commit(ledger, *new)
    builders.commit(ledger, *copies)
    builders.execute(ledger, "UPDATE images SET status = 'missing' WHERE path IN ('3.jpg', '17.jpg')")
    return [photo for photo in found if photo.path not in ("3.jpg", "17.jpg")]


def _photo(chance: random.Random, path: str) -> Photo:
    names = chance.sample(["tabby", "beagle", "pug", "volcano"], 3)
    scores = sorted((round(chance.choice([0.05, 0.2, 0.5, 0.5, 0.9]), 6) for _ in names), reverse=True)
    tags = {wnid: round(chance.choice([0.3, 0.5, 0.6, 0.6, 0.99]), 6) for wnid in ("c_cat", "c_dog")}
    kept = {wnid: score for wnid, score in tags.items() if chance.random() < 0.7}
    taken = START + timedelta(days=chance.randrange(120)) if chance.random() < 0.8 else None
    return Photo(path, dict(zip(names, scores, strict=True)), kept, taken, chance.choice(CAMERAS))


def _content(photo: Photo) -> NewContent:
    index = {str(row["name"]): number for number, row in enumerate(builders.LABELS)}
    top = [(index[name], score) for name, score in photo.top.items()]
    return NewContent("JPEG", 64, 48, photo.taken_at, photo.camera, top, list(photo.tags.items()))


def search(ledger: Ledger, text: str, order: Order | None = None) -> list[Hit]:
    with ledger.engine.connect() as connection:
        return list(Search(connection, text, order).stream(connection))


def paged(connection: Connection, search: Search, limit: int) -> list[Hit]:
    """All hits, page by page."""
    page = search.page(connection, limit)
    hits = [*page.hits]
    while page.cursor:
        assert len(page.hits) == limit
        page = search.page(connection, limit, page.cursor)
        hits += page.hits
    return hits


Wanted = Callable[[Photo], float | None]


def shows(word: str, floor: float | None = None) -> Wanted:
    return lambda photo: photo.score(word, floor)


def every(*words: str, floor: float | None = None) -> Wanted:
    return both(*(shows(word, floor) for word in words))


def some(*words: str) -> Wanted:
    def score(photo: Photo) -> float | None:
        return max((found for word in words if (found := photo.score(word, None)) is not None), default=None)

    return score


def but(wanted: Wanted, condition: Callable[[Photo], bool]) -> Wanted:
    return lambda photo: wanted(photo) if condition(photo) else None


def bound(wanted: Wanted, holds: Callable[[float], bool]) -> Wanted:
    def score(photo: Photo) -> float | None:
        found = wanted(photo)
        return found if found is not None and holds(found) else None

    return score


def both(*wanted: Wanted) -> Wanted:
    def score(photo: Photo) -> float | None:
        scores = [found for want in wanted if (found := want(photo)) is not None]
        return min(scores) if len(scores) == len(wanted) else None

    return score


def best(photo: Photo) -> float:
    return max(photo.top.values())


def taken(first: datetime, last: datetime) -> Callable[[Photo], bool]:
    return lambda photo: photo.taken_at is not None and first <= photo.taken_at < last


LATER = taken(datetime(2023, 12, 1), datetime.max)
JANUARY = taken(datetime(2024, 1, 1), datetime(2024, 2, 1))
DECEMBER = taken(datetime(2023, 12, 1), datetime(2024, 1, 1))
QUERIES: list[tuple[str, Wanted]] = [
    ("", best),
    ("dog", every("dog")),
    ("狗", every("dog")),
    ("hounds", every("dog")),
    ("beagle", every("beagle")),
    ("mops", every("pug")),
    ("n2", every("pug")),
    ("cat dog", every("cat", "dog")),
    ("dog beagle", every("dog", "beagle")),
    ("cat|dog", some("cat", "dog")),
    ("cat|beagle|volcano", some("cat", "beagle", "volcano")),
    ("dog -beagle", but(every("dog"), lambda photo: photo.score("beagle", None) is None)),
    ("-cat|dog", but(best, lambda photo: some("cat", "dog")(photo) is None)),
    ("cat|dog volcano", both(some("cat", "dog"), shows("volcano"))),
    ("dog score>0.5", bound(every("dog", floor=0), lambda score: score > 0.5)),
    ("dog score<0.5", bound(every("dog", floor=0), lambda score: score < 0.5)),
    ("cat dog score>=0.3 score<=0.5", bound(every("cat", "dog", floor=0.3), lambda score: score <= 0.5)),
    ("score>0.5", bound(best, lambda score: score > 0.5)),
    ("taken:2023-12", but(best, DECEMBER)),
    ("-taken:2023-12", but(best, lambda photo: not DECEMBER(photo))),
    ("dog taken:2023-12", but(every("dog"), DECEMBER)),
    (
        "taken:2023|taken:2024-02",
        but(best, lambda photo: photo.taken_at is not None and photo.taken_at.month != 1),
    ),
    ("camera:canon", but(best, lambda photo: photo.camera == "Canon R5")),
    ("-camera:canon", but(best, lambda photo: photo.camera != "Canon R5")),
    (
        "cat camera:NIKON taken:2023-12..",
        but(every("cat"), lambda photo: photo.camera == "Nikon Z6" and LATER(photo)),
    ),
    ("path:1.jpg", but(best, lambda photo: "1.jpg" in photo.path)),
    ("-path:1.J dog", but(every("dog"), lambda photo: "1.j" not in photo.path)),
    ("root:photos path:5", but(best, lambda photo: "5" in photo.path)),
    ("path:%", lambda photo: None),
]


@pytest.mark.parametrize("order", ["score", "date"])
@pytest.mark.parametrize("frequent", [planning.FREQUENT, 3])
def test_every_query_finds_what_the_reference_finds_in_pages_and_at_once(
    ledger: Ledger, photos: list[Photo], order: Order, frequent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "FREQUENT", frequent)
    keys = {photo.path: photo.taken_at or datetime.min for photo in photos}
    with ledger.engine.connect() as connection:
        vocabulary = words.load(connection)
        for text, wanted in QUERIES:
            # Given the photos that are meant
            expected = {photo.path: score for photo in photos if (score := wanted(photo)) is not None}

            # When they are sought
            search = Search(connection, text, order, vocabulary)
            hits = list(search.stream(connection))

            # Then they are all there, once, in order
            assert {hit.path: hit.score for hit in hits} == expected, text
            assert len(hits) == len(expected), text
            places = [hit.score or 0 if order == "score" else keys[hit.path] for hit in hits]
            assert places == sorted(places, reverse=True), text
            assert paged(connection, search, 11) == hits, text


def test_photos_without_a_label_come_after_all_others_by_score(ledger: Ledger, photos: list[Photo]) -> None:
    builders.execute(
        ledger,
        "DELETE FROM predictions WHERE content_id IN "
        "(SELECT content_id FROM images WHERE path IN ('4.jpg', '5.jpg'))",
    )
    with ledger.engine.connect() as connection:
        search = Search(connection, "", "score")

        hits = list(search.stream(connection))

        assert {hit.path for hit in hits} == {photo.path for photo in photos}
        assert [(hit.path, hit.score) for hit in hits[-2:]] == [("5.jpg", None), ("4.jpg", None)]
        assert paged(connection, search, 11) == hits


def test_of_two_frequent_words_a_page_is_sought_among_the_surest_first(
    ledger: Ledger, photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given words that many photos show, of which some are sure
    monkeypatch.setattr(planning, "FREQUENT", 3)
    monkeypatch.setattr(planning, "FLOORS", (0.99, 0.6))
    with ledger.engine.connect() as connection:
        statements: list[str] = []
        listen(ledger.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        search = Search(connection, "cat dog")
        surest = [hit for hit in search.stream(connection) if hit.score and hit.score >= 0.6]
        # When a page is asked for that they fill, then no other photo is looked at
        statements.clear()
        page = search.page(connection, len(surest) - 1)
        assert list(page.hits) == surest[:-1] and page.cursor
        assert len(statements) == 2
        # And one that they do not fill has all the others, too
        assert paged(connection, search, len(surest)) == list(search.stream(connection))


def test_words_are_sought_by_score_and_everything_else_by_date(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        orders = [Search(connection, text).order for text in ("dog", "dog taken:2023", "", "-dog", "path:x")]
    assert orders == ["score", "score", "date", "date", "date"]


def test_a_hit_says_where_the_photo_is_and_what_its_first_label_is(
    ledger: Ledger, photos: list[Photo], root: int
) -> None:
    photo = next(photo for photo in photos if next(iter(photo.top)) == "beagle")

    (hit,) = [hit for hit in search(ledger, "beagle") if hit.path == photo.path]

    assert (hit.root, hit.root_id, hit.path_raw) == ("photos", root, None)
    assert (hit.label, hit.label_zh, hit.wnid) == ("beagle", "比格犬", "n1")
    assert (hit.taken_at, hit.score, len(hit.sha256)) == (photo.taken_at, photo.top["beagle"], 64)


SENTENCES = [
    ("beagel", 'No class or category is called "beagel"; did you mean beagle?'),
    ("xyzzy", 'No class or category is called "xyzzy".'),
    ("category:beagle", 'No category is called "beagle"; there is label:beagle.'),
    ("label:dog", 'No class is called "dog"; there is category:dog.'),
    ("camera:leica", "No photo was taken by a camera like 'leica'; there is Canon R5, Nikon Z6."),
    ("root:fotos", "There is no root 'fotos'; there is photos."),
    ("dog|path:x", "What a photo shows and where it is from cannot be alternatives; leave out the |."),
    ("-score>0.5", "A bound such as score>0.8 stands by itself, without - or |."),
    ("dog|score>0.5", "A bound such as score>0.8 stands by itself, without - or |."),
    (
        "taken:now",
        "taken:now is no date; write taken:2024, taken:2024-05, taken:2024-05-03 or taken:2023..2024.",
    ),
]


def test_what_is_not_known_is_one_sentence_with_what_is(ledger: Ledger, photos: list[Photo]) -> None:
    for text, sentence in SENTENCES:
        with pytest.raises(UsageError) as refused:
            search(ledger, text)
        assert str(refused.value) == sentence


CURSORS = [
    "x",
    "\u00e9",
    "e30=",
    "WzEsIDJd",
    "WyJ4IiwgMSwgMl0=",
    "W1sxXSwgMSwgMl0=",
    "WzEsICIyIiwgM10=",
    "A" * 300,
]


def test_a_cursor_that_no_page_ended_with_is_refused(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        orders: tuple[Order, ...] = ("score", "date")
        for cursor, order in itertools.product(CURSORS, orders):
            with pytest.raises(UsageError, match="The cursor is none"):
                Search(connection, "", order).page(connection, 3, cursor)
