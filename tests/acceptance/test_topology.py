"""Several hosts, one collection: one is killed, one drained, one refused, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import topology
from tests.chaos.photos import made_photos
from tools import servers

#: Enough for several batches on each host, each of which rests after every one: none does all alone.
PHOTOS = 40
PACE = {"TAGTRAY_BATCH_SIZE": "4", "TAGTRAY_ON_DONE": "sleep 1"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with made_photos(PHOTOS) as made:
        yield made


@pytest.mark.timeout(600)
def test_two_hosts_of_workers_lose_nothing(folder: Path, postgres: servers.Postgres) -> None:
    with (
        postgres.database() as database_url,
        servers.redis_server(rights=topology.RIGHTS) as redis_url,
        topology.topology(folder, database_url, redis_url, **PACE) as hosts,
    ):
        report = hosts.play()

    assert report.clean, report
    assert report.shares["a"] > 0 and report.shares["b"] > 0 and report.shares["c"] == 0
    assert "weights" in report.refusal and "in the database" in report.refusal
