"""How things stand, told as they change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tagtray.db import workers
from tests import builders, sites
from tests.browser.conftest import Visit
from tests.sites import Site

NO_WORKER = "No worker runs; what is added waits."


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One without a worker."""
    with sites.site(works=False) as found:
        yield found


def test_that_no_worker_runs_is_said_on_top_and_with_what_starts_one(visit: Visit, site: Site) -> None:
    page = visit("/status")
    expect(page.get_by_text(NO_WORKER)).to_be_visible()
    expect(page.get_by_text("tagtray work")).to_be_visible()

    workers.register(site.ledger.engine, workers.this_process("another", builders.PROVENANCE, []))

    expect(page.locator("#workers")).to_contain_text("torch fp32")
    expect(page.get_by_text(NO_WORKER)).to_be_hidden()


def test_an_album_without_photos_says_what_to_do(visit: Visit) -> None:
    page = visit("/gallery")

    expect(page.locator(".command")).to_have_text("tagtray run ~/Pictures")
    expect(page.locator(".command").get_by_role("button", name="Copy")).to_be_visible()


def test_what_waits_is_counted_and_said_on_every_page(visit: Visit, site: Site) -> None:
    pages = [visit("/status"), visit("/gallery")]

    builders.register(site.ledger, site.root.id, 30)

    expect(pages[0].locator('[data-figure="queued"]')).to_have_text("30")
    for page in pages:
        expect(page.get_by_text("30 photos are still to be looked at")).to_be_visible()
