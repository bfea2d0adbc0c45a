"""The table of workers on both databases."""

from __future__ import annotations

import os
from dataclasses import replace

from tagtray.db import workers
from tagtray.db.ledger import Ledger
from tests import builders


def test_a_worker_is_alive_from_its_start_to_its_end(ledger: Ledger) -> None:
    info = workers.this_process("one", builders.PROVENANCE, ["photos"])

    workers.register(ledger.engine, info)

    (found,) = workers.alive(ledger.engine)
    assert found.info == info
    assert (found.info.pid, found.info.engine, found.images) == (os.getpid(), "torch", 0)
    workers.remove(ledger.engine, "one")
    assert workers.alive(ledger.engine) == []


def test_a_heartbeat_tells_how_much_was_done_and_what_can_be_read(ledger: Ledger) -> None:
    info = workers.this_process("one", builders.PROVENANCE, ["photos"])
    workers.register(ledger.engine, info)
    (before,) = workers.alive(ledger.engine)

    workers.heartbeat(ledger.engine, replace(info, roots=["photos", "scans"]), 32)

    (found,) = workers.alive(ledger.engine)
    assert (found.images, found.info.roots) == (32, ["photos", "scans"])
    assert found.started_at == before.started_at
    assert found.heartbeat_at >= before.heartbeat_at


def test_a_worker_that_comes_back_under_its_name_begins_anew(ledger: Ledger) -> None:
    info = workers.this_process("one", builders.PROVENANCE, [])
    workers.register(ledger.engine, info)
    workers.heartbeat(ledger.engine, info, 32)
    builders.execute(ledger, "UPDATE workers SET started_at = '2020-01-01 00:00:00.000000+00:00'")

    workers.register(ledger.engine, replace(info, pid=7))

    (found,) = workers.alive(ledger.engine)
    assert (found.info.pid, found.images) == (7, 0)
    assert found.started_at == found.heartbeat_at


def test_a_heartbeat_brings_back_a_worker_that_was_taken_for_dead(ledger: Ledger) -> None:
    workers.heartbeat(ledger.engine, workers.this_process("one", builders.PROVENANCE, []), 5)

    assert workers.count(ledger.engine) == 1


def test_a_worker_that_fell_silent_is_forgotten(ledger: Ledger) -> None:
    for name in ("silent", "ahead", "alive"):
        workers.register(ledger.engine, workers.this_process(name, builders.PROVENANCE, []))
    builders.execute(
        ledger, "UPDATE workers SET heartbeat_at = '2020-01-01 00:00:00.000000' WHERE id = 'silent'"
    )
    builders.execute(
        ledger, "UPDATE workers SET heartbeat_at = '2120-01-01 00:00:00.000000' WHERE id = 'ahead'"
    )

    assert [found.info.id for found in workers.alive(ledger.engine)] == ["alive"]
    assert workers.count(ledger.engine) == 1
    assert workers.remove_silent(ledger.engine) == 2
    assert builders.query(ledger, "SELECT id FROM workers") == [("alive",)]
