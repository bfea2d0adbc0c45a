"""Every hot statement finds its rows by an index, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from benchmarks.scale import plans
from benchmarks.scale.rows import Scaled, scaled
from tagtray.db.access import transactions
from tagtray.db.access.engine import transaction
from tagtray.search import planning
from tagtray.search.find import Search
from tagtray.search.query import Order

ROWS = 2_000
#: These are about all images of the folders, once in a run.
WHOLE = {"summary_tallies", "summary_labels", "summary_categories", "summary_some_done"}


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest) -> Iterator[Scaled]:
    if request.param == "sqlite":
        with scaled(ROWS) as ledger:
            yield ledger
        return
    # So small a table would be read whole: now PostgreSQL does so only where no index helps.
    url = request.getfixturevalue("postgres_url") + "&options=-c%20enable_seqscan%3Doff"
    with scaled(ROWS, url) as ledger:
        yield ledger


def test_no_hot_statement_reads_a_large_table_from_end_to_end(made: Scaled) -> None:
    found = plans.report(made)
    scans = {name: plans.full_scans(lines) for name, lines in found.items() if name not in WHOLE}
    assert {name: lines for name, lines in scans.items() if lines} == {}


def test_the_index_that_was_made_for_a_statement_is_searched(made: Scaled) -> None:
    found = plans.report(made)
    wanted = {
        "status": "ix_classifications_model_id_classified_at",
        "run_progress": "ix_images_status_priority_root_id",
        "feed": "ix_images_status_priority_root_id",
        "stale": "ix_images_content_id",
        "summary_forwarded": "ix_images_content_id",
    }
    missing = {name for name, index in wanted.items() if not any(index in line for line in found[name])}
    assert not missing, found


def test_a_batch_is_looked_up_by_its_contents_not_by_all_of_its_model(made: Scaled) -> None:
    lines = [line for name in ("claim", "commit") for line in plans.report(made).get(name, [])]
    assert lines
    assert not [line for line in lines if "ix_classifications_model_id_classified_at" in line]


def test_sqlite_finds_images_by_their_numbers_not_among_all_of_their_state() -> None:
    with scaled(ROWS) as made:
        found = plans.report(made)

    lines = [line for name in ("claim", "enqueue") for line in found[name]]
    assert any("images USING INTEGER PRIMARY KEY" in line for line in lines), found
    assert not [line for line in lines if "ix_images_status" in line], found


def test_a_moment_on_the_databases_clock_is_looked_up_in_an_index(made: Scaled) -> None:
    lines = plans.report(made)["status"]
    assert any("classified_at>?)" in line or "(classified_at >" in line for line in lines), lines


@pytest.mark.parametrize(
    "query",
    [
        "SELECT path, score FROM top1 WHERE label = 'tabby'",
        "SELECT path, score FROM results WHERE wnid = 'n02123045'",
        "SELECT path, score FROM image_tags WHERE category = 'dog'",
    ],
)
def test_a_view_that_is_asked_for_one_label_begins_with_it(made: Scaled, query: str) -> None:
    lines = plans.explain(made.engine, query, ())
    assert plans.full_scans(lines) == []
    assert not any(line.startswith("SCAN") for line in lines), lines


@pytest.mark.parametrize("index", plans.SEARCHES)
def test_a_page_of_photos_is_read_from_an_index_that_has_its_order(made: Scaled, index: str) -> None:
    lines = plans.explain(made.engine, plans.SEARCHES[index], ())

    assert any(index in line for line in lines), lines
    assert plans.full_scans(lines) == []
    assert not any("SCAN" in line or "TEMP B-TREE" in line for line in lines), lines


def _steps(connection: Connection, search: Search) -> int:
    """What SQLite's machine does for a page of five, in hundreds of its steps."""
    hundreds: list[None] = []
    link: Any = connection.connection.driver_connection
    link.set_progress_handler(lambda: hundreds.append(None), 100)
    assert len(search.page(connection, 5).hits) == 5
    link.set_progress_handler(None, 0)
    return len(hundreds)


@pytest.mark.parametrize(
    ("query", "order"),
    [("", "date"), ("", "score"), ("-taken:1800..", "date"), ("dog", "score"), ("animal -dog", "score")],
)
def test_of_many_photos_with_one_score_or_no_date_no_more_are_read_than_a_page_has(
    query: str, order: Order
) -> None:
    with scaled(ROWS) as made:
        with transaction(made.engine, writes=True) as connection:
            connection.execute(text("UPDATE tags SET score = 0.9"))
            connection.execute(text("UPDATE predictions SET score = content_id / 10000.0 / rank"))
            connection.execute(text("UPDATE contents SET taken_at = NULL"))
        with transactions.reading(made.engine) as connection:
            assert _steps(connection, Search(connection, query, order)) < ROWS / 40


@pytest.mark.parametrize("query", ["dog", "animal -dog"])
def test_photos_of_a_word_by_date_need_no_index_of_their_own(
    query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "FREQUENT", 3)
    with scaled(ROWS) as made, transactions.reading(made.engine) as connection:
        with plans.statements(made.engine) as sent:
            Search(connection, query, "date").page(connection, 5)
        lines = [line for item in sent.items() for line in plans.explain(made.engine, *item)]

    assert not any("AUTOMATIC" in line for line in lines), lines


def test_an_idle_feeder_looks_at_indexes_alone(made: Scaled) -> None:
    feeder_looks = (made.ledger.queued, lambda: made.ledger.pending(1), made.ledger.stale_basis)
    with plans.statements(made.engine) as sent:
        for look in feeder_looks:
            look()

    lines = [line for item in sent.items() for line in plans.explain(made.engine, *item)]

    assert plans.full_scans(lines) == []
    assert not any("contents" in line for line in lines), lines
