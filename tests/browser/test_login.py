"""A site that asks for a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests import sites
from tests.browser.conftest import Visit, barriers
from tests.sites import Site

TOKEN = "a long enough token"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One that asks."""
    with sites.site(works=False, token=TOKEN) as found:
        yield found


def test_the_token_leads_to_the_page_that_was_asked_for_until_one_logs_out(visit: Visit) -> None:
    page = visit("/gallery?q=dog")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()

    page.get_by_label("Token").fill("another")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("That is not the token.")).to_be_visible()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()

    expect(page).to_have_url("/gallery?q=dog")
    page.wait_for_load_state("load")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url("/login")
    page.goto("/status")
    expect(page).to_have_url("/login?next=/status")


def test_the_login_speaks_the_visitors_language_and_can_be_dark(visit: Visit) -> None:
    page = visit("/login", locale="zh-CN", width=360)
    expect(page.get_by_label("令牌")).to_be_focused()
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert barriers(page) == []

    page.get_by_role("button", name="深色").click()

    expect(page.get_by_role("button", name="浅色")).to_be_visible()
    assert barriers(page) == []
