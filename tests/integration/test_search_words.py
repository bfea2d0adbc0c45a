"""Words of the catalogue that ships: synonyms, plurals, both languages, and words with several senses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from tagtray.app import bootstrap
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.search import meaning as meanings
from tagtray.search import syntax, words
from tagtray.search.meaning import Meaning
from tests import builders


@pytest.fixture
def shipped(host: Settings) -> Iterator[Ledger]:
    """An empty ledger with the catalogue that ships."""
    bootstrap.bring_up(host)
    database = engine.connect(host)
    yield Ledger(database)
    database.dispose()


@pytest.fixture
def connection(shipped: Ledger) -> Iterator[Connection]:
    with shipped.engine.connect() as connection:
        yield connection


def understand(connection: Connection, text: str) -> Meaning:
    return meanings.understand(connection, words.load(connection), syntax.parse(text))


def shown(connection: Connection, text: str) -> list[list[str]]:
    return [[sense.name for sense in senses] for senses in understand(connection, text).shown]


FOUND = {
    "dog": [["dog"]],
    "DOGS": [["dog"]],
    "狗": [["dog"]],
    "puppies": [["dog"]],
    "cow": [["ox"]],
    "sneakers": [["running shoe"]],
    "running shoes": [["running shoe"]],
    "phone": [["telephone"]],
    "taxis": [["cab"]],
    "wolves": [["wolf"]],
    "金毛": [["golden retriever"]],
    "golden retriever": [["golden retriever"]],
    "golden-retriever": [["golden retriever"]],
    "soft coated wheaten terrier": [["soft-coated wheaten terrier"]],
    "jack o lantern": [["jack-o'-lantern"]],
    "tiger cat": [["tiger cat"]],
    '"tiger" "cat"': [["tiger"], ["cat"]],
    "tiger shark beach": [["tiger shark"], ["shore"]],
    "food": [["food"]],
    "n02084071": [["dog"]],
    "conveyance": [["conveyance"]],
    "cat|dog|bird": [["cat", "dog", "bird"]],
    "animal dog": [["dog"]],
    "dog car": [["dog"], ["car"]],
}


def test_a_word_finds_what_people_mean_by_it(connection: Connection) -> None:
    assert {text: shown(connection, text) for text in FOUND} == FOUND


def test_a_category_is_taken_before_a_class_and_the_class_is_mentioned(connection: Connection) -> None:
    found = understand(connection, "amphibian")

    assert [sense.kind for sense in found.shown[0]] == ["category"]
    assert found.notes == [
        '"amphibian" is taken as amphibian 两栖动物; it can also mean amphibian 水陆两用车 (label:amphibian).'
    ]
    assert understand(connection, "label:amphibian").notes == []
    assert [sense.class_index for sense in understand(connection, "label:amphibian").shown[0]] == [408]


def test_of_two_classes_the_likelier_is_taken_and_the_other_mentioned(
    shipped: Ledger, host: Settings, connection: Connection
) -> None:
    # Given two photos of the machine and one of the bird
    root = builders.root(shipped, host)
    ids = builders.running(shipped, root.id, 3)
    for image_id, class_index in zip(ids, (517, 134, 517), strict=True):
        new = builders.content(top=[(class_index, 0.9), (1, 0.05), (2, 0.01)], tags=[])
        builders.commit(shipped, builders.done(image_id, f"{image_id}", new))

    # When either is sought by the word that they share
    found = understand(connection, "crane")

    # Then the machine is taken, and how to find the bird is said
    assert [sense.class_index for sense in found.shown[0]] == [517]
    assert found.notes == [
        '"crane" is taken as crane 起重机; it can also mean crane bird 鹤 (label:crane-bird).'
    ]
    for query in ("label:crane-bird", 'label:"crane bird"'):
        assert [sense.class_index for sense in understand(connection, query).shown[0]] == [134]


def test_classes_that_differ_by_a_capital_are_told_apart_by_their_wnid(connection: Connection) -> None:
    (note,) = understand(connection, "cardigan").notes
    assert "label:n02963159" in note
    assert [sense.class_index for sense in understand(connection, "label:n02963159").shown[0]] == [474]


@pytest.mark.parametrize("text", ["dgo", "retreiver", "beagel"])
def test_an_unknown_word_is_answered_with_near_ones(connection: Connection, text: str) -> None:
    near = {"dgo": "dog", "retreiver": "retriever", "beagel": "beagle"}[text]
    with pytest.raises(UsageError, match=rf'^No class or category is called "{text}"; did you mean .*{near}'):
        understand(connection, text)
