"""Redis over TLS: with its authority a run works, without it a sentence says why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import inside, photos
from tests.acceptance.world import World, world
from tests.chaos.topology import RIGHTS
from tools import servers


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with servers.redis_server(rights=RIGHTS, tls=True) as url:
        yield url


def test_a_run_over_tls_classifies(url: str, home: Path, tmp_path: Path) -> None:
    photos.make_many(tmp_path / "photos", 3)
    with world(home / "home", TAGTRAY_REDIS_URL=url) as laptop:
        run = laptop.run("run", str(tmp_path / "photos"))
        doctor = inside.run(laptop, "doctor")

        assert run.code == 0, run.errors
        assert laptop.count("SELECT count(*) FROM images WHERE status = 'done'") == 3
        assert servers.PASSWORD not in doctor.output + run.errors


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("rediss://", "redis://"), "if it speaks TLS, it is rediss://"),
        (("ssl_ca_certs=", "ssl_cert_reqs=required#"), "is not accepted"),
    ],
    ids=["without TLS", "an option cut off"],
)
def test_what_does_not_fit_is_one_sentence(
    url: str, laptop: World, tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    broken = url.replace(*change)
    if broken.startswith("redis://"):
        broken = broken.partition("?")[0]

    refused = inside.run(laptop, "scan", str(tmp_path), TAGTRAY_REDIS_URL=broken)

    assert refused.code in (1, 2)
    assert sentence in refused.errors.splitlines()[-1]
    assert servers.PASSWORD not in refused.errors


def test_an_authority_that_nobody_knows_is_said(url: str, laptop: World, tmp_path: Path) -> None:
    run = laptop.run("run", str(tmp_path), TAGTRAY_REDIS_URL=url.partition("?")[0])

    assert run.code == 1
    assert "certificate verify failed" in run.errors.splitlines()[-1]
    assert len(run.errors.splitlines()) == 1
