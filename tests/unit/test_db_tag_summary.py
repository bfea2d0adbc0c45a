"""A list of categories that is shown says what the photo is, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.app import bootstrap
from tagtray.config.settings import Settings
from tagtray.db.reading.tag_summary import TagSummary
from tests.models import DEFAULT

IMAGENET = DEFAULT.labels

NAMES = {category.wnid: category.name for category in IMAGENET.categories}
SUMMARY = TagSummary(
    {
        category.wnid: {below for below, above in IMAGENET.closure if above == category.wnid}
        for category in IMAGENET.categories
        if category.curated
    },
    {category.wnid for category in IMAGENET.categories if category.everyday},
)
CURATED = [category.wnid for category in IMAGENET.categories if category.curated]


def named(label: str) -> list[str]:
    """The summary of a photo that is surely of this class."""
    wnid = next(found.wnid for found in IMAGENET.labels if found.name == label)
    return [NAMES[above] for above in SUMMARY.of(above for below, above in IMAGENET.closure if below == wnid)]


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("beagle", ["hunting dog", "dog", "animal"]),
        ("timber wolf", ["wolf", "canine", "animal"]),
        ("tabby", ["domestic cat", "cat", "pet", "animal"]),
        ("goldfish", ["fish", "animal"]),
        ("banana", ["fruit", "food"]),
        ("sports car", ["car", "vehicle"]),
        ("daisy", ["flower", "plant"]),
        ("running shoe", ["shoe"]),
        ("castle", []),
    ],
)
def test_the_most_specific_comes_first_and_near_synonyms_are_left_out(label: str, names: list[str]) -> None:
    assert named(label) == names


def test_what_is_left_out_may_be_named_where_it_is_all_that_is_known() -> None:
    canine = next(wnid for wnid, name in NAMES.items() if name == "canine")
    assert SUMMARY.of([canine]) == [canine]


def test_hidden_and_unknown_categories_are_never_named() -> None:
    hidden = [category.wnid for category in IMAGENET.categories if not category.curated]
    assert SUMMARY.of([*hidden, "n99999999"]) == []


@given(st.sets(st.sampled_from(CURATED)))
def test_an_everyday_word_is_never_lost(wnids: set[str]) -> None:
    everyday = {category.wnid for category in IMAGENET.categories if category.everyday}
    found = SUMMARY.of(wnids)
    assert wnids & everyday <= set(found) <= wnids
    assert len(set(found)) == len(found)


def test_at_most_four_are_named_of_any_class() -> None:
    assert max(len(named(label.name)) for label in IMAGENET.labels) <= 4


def test_the_ledger_has_what_the_summary_needs(settings: Settings) -> None:
    bootstrap.bring_up(settings)
    with bootstrap.reading(settings) as database, database.connect() as connection:
        assert TagSummary.load(connection) == SUMMARY
