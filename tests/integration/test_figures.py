"""The ledger in figures, as monitors read it: the truth of one moment, on both databases."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from tagtray.app.metrics.ledger import StoresCollector
from tagtray.config.settings import Settings
from tagtray.db import workers
from tagtray.db.ledger import Ledger
from tagtray.db.places import holds
from tagtray.db.reading.figures import figures
from tagtray.db.records import Failed
from tests import builders


def test_figures_are_those_of_the_tables(ledger: Ledger, root: int) -> None:
    # Given two images that are done, one that failed, and some that wait
    ids = builders.running(ledger, root, 3)
    builders.commit(
        ledger,
        builders.done(ids[0], "a", builders.content()),
        builders.done(ids[1], "a"),
        Failed(ids[2], "corrupt", "It is damaged."),
    )
    builders.register(ledger, root, 4, prefix="later/")
    workers.register(ledger.engine, workers.this_process("w", builders.PROVENANCE, ["photos"]))

    # When they are read
    found = figures(ledger.engine)

    # Then they are all there
    assert found.images == {("photos", "done"): 2, ("photos", "failed"): 1, ("photos", "pending"): 4}
    assert found.failures == {"corrupt": 1}
    assert found.oldest_wait >= 0
    assert [(key[1:3], count) for key, count in found.workers.items()] == [(("torch", "fp32"), 1)]
    assert (found.held, found.model) == (frozenset(), ("tiny", "0" * 64))

    # And a root that is paused is said
    holds.pause(ledger.engine, ["photos"])
    assert figures(ledger.engine).held == {"photos"}


def test_stores_that_are_away_are_metrics_too(ledger: Ledger, host: Settings) -> None:
    # Given a database without tables, and a Redis that is not there
    away = host.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    builders.execute(ledger, "DROP VIEW failures")
    builders.execute(ledger, "ALTER TABLE workers RENAME TO gone")
    registry = CollectorRegistry()
    registry.register(StoresCollector(ledger.engine, away))

    # When they are scraped
    said = generate_latest(registry).decode()

    # Then nothing is raised, and both are said to be away
    assert 'tagtray_store_up{store="ledger"} 0.0' in said
    assert 'tagtray_store_up{store="redis"} 0.0' in said
    assert "tagtray_images{" not in said
