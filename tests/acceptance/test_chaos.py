"""A few rounds of the chaos that ``make chaos`` plays by the hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import networks
from tests.acceptance.world import World
from tests.chaos import members
from tests.chaos.photos import made_photos
from tests.chaos.rounds import Round
from tests.waiting import wait_for
from tools import servers

PHOTOS = 24
#: Several batches, and images that a killed worker held are soon free again.
OPTIONS = {"TAGTRAY_BATCH_SIZE": "4", "TAGTRAY_LEASE": "10"}


@pytest.mark.parametrize(
    "kinds",
    [[members.WORKER], [members.SERVER], [members.REDIS, members.FLUSH], [members.ALL]],
    ids=["worker", "fork server", "redis", "all"],
)
def test_whatever_is_killed_every_image_ends_done_and_nobody_stays_behind(
    home: Path, kinds: list[str]
) -> None:
    """Given photos and a run; when processes are killed; then nothing is lost, failed, orphaned or broken."""
    networks.copied_to(home)
    with made_photos(PHOTOS) as photos:
        report = Round(7, photos, home, kinds, database=None, **OPTIONS).play()

    assert report.clean, report


def test_postgresql_outlives_a_killed_producer(home: Path, postgres: servers.Postgres) -> None:
    """The same on PostgreSQL."""
    networks.copied_to(home)
    with made_photos(PHOTOS) as photos, postgres.database() as url:
        report = Round(8, photos, home, [members.PRODUCER], database=url, **OPTIONS).play()

    assert report.clean, report


def test_every_kind_of_process_is_found(laptop: World, tmp_path: Path) -> None:
    """Else a round would strike nobody, and keep every promise."""
    run = laptop.start("run", "--watch", str(tmp_path), SPT_NOENV="1")

    kinds = (members.WORKER, members.SERVER, members.PRODUCER, members.REDIS, members.KEEPER)
    wait_for(lambda: all(members.of(laptop.home)[kind] for kind in kinds), run)
    run.terminate()
    run.communicate()
