"""Redis away: 503 at once, nothing lost, and recovery by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tagtray.config import outage
from tests import builders, sites
from tests.chaos.outage import RedisOutage
from tests.sites import Site
from tests.stub_worker import working
from tests.waiting import wait_for


def _send(site: Site, shade: int) -> int:
    return site.client.post("/predict", files={"file": builders.jpeg(shade)}).status_code


def test_uploads_outlive_a_redis_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "BACKOFF", 0.1)
    store = RedisOutage(tmp_path)
    try:
        with sites.site(works=False, redis_url=store.environment["TAGTRAY_REDIS_URL"]) as site:
            with working(site.settings, site.ledger):
                assert _send(site, 1) == 200
            # When Redis goes away
            store.go()
            began = time.monotonic()
            answer = site.client.post("/predict", files={"file": builders.jpeg(2)})
            # Then a new photo is refused within seconds, and kept; what is known is answered all the same
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (503, "store_away")
            assert problem["detail"].endswith("The photo is kept and classified later.")
            assert int(answer.headers["retry-after"]) > 0
            assert time.monotonic() - began < 60
            assert _send(site, 1) == 200
            assert site.client.get("/readyz").status_code == 503
            assert site.client.get("/api/images").status_code == 200
            # And when it comes back, empty, what was kept is classified, and new ones are
            store.come_back()
            with working(site.settings, site.ledger):
                wait_for(lambda: builders.status(site.ledger, problem["image"]) == ["done"])
                wait_for(lambda: site.client.get("/readyz").status_code == 200)
                assert _send(site, 3) == 200
    finally:
        store.go()
