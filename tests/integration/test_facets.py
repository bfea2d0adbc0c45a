"""The figures that a collection is narrowed by, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import text

from tagtray.db.access.transactions import read, write
from tagtray.db.ledger import Ledger
from tagtray.db.reading import facets, queries
from tagtray.db.reading.facets import MonthFacet
from tests import builders

#: Taken at, and the tags, of each photo; the last one is a copy of the one before.
PHOTOS: list[tuple[datetime | None, list[tuple[str, float]]] | None] = [
    (datetime(2024, 5, 1), [("c_dog", 0.9), ("c_cat", 0.5)]),
    (datetime(2024, 5, 31, 23, 59), [("c_dog", 0.49)]),
    (datetime(2023, 12, 31), [("c_dog", 0.6)]),
    (None, [("c_dog", 0.99)]),
    None,
]


@pytest.fixture
def photos(ledger: Ledger, root: int) -> list[int]:
    """Ids of the images."""
    ids = builders.running(ledger, root, len(PHOTOS))
    for number, (image_id, photo) in enumerate(zip(ids, PHOTOS, strict=True)):
        if photo is None:
            builders.commit(ledger, builders.done(image_id, str(number - 1)))
        else:
            taken, tags = photo
            content = replace(builders.content(tags=tags), taken_at=taken)
            builders.commit(ledger, builders.done(image_id, str(number), content))
    return ids


def _categories(ledger: Ledger) -> list[tuple[str, int]]:
    return [(found.category, found.photos) for found in read(ledger.engine, facets.categories)]


def test_categories_are_counted_by_contents_from_their_thresholds_on(
    ledger: Ledger, photos: list[int]
) -> None:
    assert _categories(ledger) == [("dog", 3), ("cat", 1)]

    # One of its own takes the place of the model's, and what no photo shows is left out
    thresholds = "INSERT INTO thresholds (model_id, wnid, score) VALUES (1, 'c_dog', 0.95), (1, 'c_cat', 0.6)"
    write(ledger.engine, lambda connection: connection.execute(text(thresholds)))

    assert _categories(ledger) == [("dog", 1)]


def test_months_are_counted_by_images_that_are_shown(ledger: Ledger, photos: list[int]) -> None:
    months, undated = read(ledger.engine, facets.months)
    assert (months, undated) == ([MonthFacet("2024-05", 2), MonthFacet("2023-12", 1)], 2)

    ledger.mark_missing([photos[0], photos[4]])

    months, undated = read(ledger.engine, facets.months)
    assert (months, undated) == ([MonthFacet("2024-05", 1), MonthFacet("2023-12", 1)], 1)


def test_reasons_of_failures_are_counted_the_most_frequent_first(ledger: Ledger, photos: list[int]) -> None:
    failed = "UPDATE images SET status = 'failed', error_code = '{}' WHERE id IN ({}, {})"
    builders.execute(ledger, failed.format("truncated", photos[0], photos[1]))
    builders.execute(ledger, failed.format("empty", photos[2], photos[2]))

    assert queries.failure_codes(ledger.engine) == [("truncated", 2), ("empty", 1)]
