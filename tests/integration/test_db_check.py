"""The rules of a ledger at rest: each one broken, found and mended, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from tagtray.db import invariants
from tagtray.db.ledger import Ledger
from tests import builders

BROKEN: dict[str, Callable[[int], str]] = {
    "incomplete_top3": lambda _: "DELETE FROM predictions WHERE rank = 2",
    "orphan_predictions": lambda _: "DELETE FROM classifications",
    "orphan_features": lambda _: "DELETE FROM classifications",
    "done_without_results": lambda row: f"UPDATE images SET content_id = NULL WHERE id = {row}",
    "failed_without_reason": lambda row: f"UPDATE images SET status = 'failed' WHERE id = {row}",
    "running_without_lease": lambda row: f"UPDATE images SET status = 'running' WHERE id = {row}",
    "lease_without_running": lambda row: f"UPDATE images SET worker = 'w' WHERE id = {row}",
    "unknown_status": lambda row: f"UPDATE images SET status = 'lost' WHERE id = {row}",
    "unknown_priority": lambda row: f"UPDATE images SET priority = 7 WHERE id = {row}",
}


def broken(ledger: Ledger, fix: bool = False) -> dict[str, int]:
    return {finding.name: finding.rows for finding in invariants.check(ledger.engine, fix) if finding.rows}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found_and_mended(ledger: Ledger, root: int, name: str) -> None:
    """Given a done image; when a rule is broken; then it is found, mended and found no more."""
    (image,) = builders.running(ledger, root, 1)
    new = replace(builders.content(), features=b"0" * 8)
    builders.commit(ledger, builders.done(image, "photo", new))
    assert broken(ledger) == {}
    with ledger.engine.begin() as connection:
        connection.execute(text(BROKEN[name](image)))

    assert name in broken(ledger)
    broken(ledger, fix=True)

    assert broken(ledger) == {}


def test_a_model_of_two_classes_has_a_top_2(ledger: Ledger, root: int) -> None:
    builders.execute(ledger, "DELETE FROM labels WHERE class_index > 1")
    whole, half = builders.running(ledger, root, 2)
    two, one = [(1, 0.8), (0, 0.2)], [(1, 0.8)]

    builders.commit(ledger, builders.done(whole, "whole", builders.content(top=two)))
    assert broken(ledger) == {}

    builders.commit(ledger, builders.done(half, "half", builders.content(top=one)))
    assert broken(ledger) == {"incomplete_top3": 1}


def test_an_image_that_is_mended_keeps_what_is_known_of_it(ledger: Ledger, root: int) -> None:
    (image,) = builders.running(ledger, root, 1)
    builders.commit(ledger, builders.done(image, "photo", builders.content()))
    builders.execute(ledger, f"UPDATE images SET status = 'failed' WHERE id = {image}")

    broken(ledger, fix=True)

    assert builders.status(ledger, image) == ["pending"]
    assert builders.query(ledger, "SELECT count(*) FROM results") == [(3,)]
