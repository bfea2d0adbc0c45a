"""The rules of a ledger at rest: each one broken, found and mended, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from tagtray.db import current_model, invariants
from tagtray.db.current_model import ModelRows
from tagtray.db.labels import LabelRows
from tagtray.db.ledger import Ledger
from tests import builders

BROKEN: dict[str, Callable[[int], str]] = {
    "incomplete_top3": lambda _: "DELETE FROM predictions WHERE rank = 2",
    "orphan_predictions": lambda _: "DELETE FROM classifications",
    "done_without_results": lambda row: f"UPDATE images SET content_id = NULL WHERE id = {row}",
    "failed_without_reason": lambda row: f"UPDATE images SET status = 'failed' WHERE id = {row}",
    "running_without_lease": lambda row: f"UPDATE images SET status = 'running' WHERE id = {row}",
    "lease_without_running": lambda row: f"UPDATE images SET worker = 'w' WHERE id = {row}",
    "unknown_status": lambda row: f"UPDATE images SET status = 'lost' WHERE id = {row}",
}


def broken(ledger: Ledger, fix: bool = False) -> dict[str, int]:
    return {finding.name: finding.rows for finding in invariants.check(ledger.engine, fix) if finding.rows}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found_and_mended(ledger: Ledger, root: int, name: str) -> None:
    """Given a done image; when a rule is broken; then it is found, mended and found no more."""
    (image,) = builders.running(ledger, root, 1)
    builders.commit(ledger, builders.done(image, "photo", builders.content()))
    assert broken(ledger) == {}
    with ledger.engine.begin() as connection:
        connection.execute(text(BROKEN[name](image)))

    assert name in broken(ledger)
    broken(ledger, fix=True)

    assert broken(ledger) == {}


def test_a_model_of_two_classes_has_two_ranks(ledger: Ledger, root: int) -> None:
    # Given a model with two classes, and an image that it classified
    labels = [
        {"label_set": "two", "class_index": index, "wnid": None, "name": name, "name_zh": ""}
        for index, name in enumerate(("day", "night"))
    ]
    model = {**builders.MODEL, "name": "two", "label_set": "two", "weights_sha256": "2" * 64}
    rows = ModelRows(model, LabelRows("two", labels, [], []), {"": 0.5})
    two = replace(builders.PROVENANCE, model_id=current_model.bring_in(ledger.engine, rows))
    (image,) = builders.running(ledger, root, 1)
    ledger.commit("w", two, [builders.done(image, "photo", builders.content([(1, 0.9), (0, 0.1)], []))])

    # When the ledger is checked, then nothing is wrong, until a rank is missing
    assert broken(ledger) == {}
    builders.execute(ledger, "DELETE FROM predictions WHERE rank = 2")
    assert broken(ledger) == {"incomplete_top3": 1}
