"""An album that grows while somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tagtray.web import facets
from tests import builders, sites
from tests.browser.conftest import Visit
from tests.sites import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One with three photos."""
    with sites.site() as found:
        found.add(_photos(0, 3))
        yield found


def _photos(first: int, last: int) -> dict[str, bytes]:
    return {f"{n}.jpg": builders.jpeg(9 * n, (64, 40 + n), "2024:05:02 10:00:00") for n in range(first, last)}


@pytest.mark.parametrize(
    ("locale", "one", "two"),
    [("en-GB", "1 new photo", "2 new photos"), ("zh-CN", "1 张新照片", "2 张新照片")],
)
def test_new_photos_are_told_and_shown_when_that_is_wanted(
    visit: Visit, site: Site, monkeypatch: pytest.MonkeyPatch, locale: str, one: str, two: str
) -> None:
    monkeypatch.setattr(facets, "FRESH_SECONDS", 0.1)
    page = visit("/gallery", locale=locale)
    tiles = page.locator(".tile")
    ((before,),) = builders.query(site.ledger, "SELECT count(*) FROM images WHERE status = 'done'")
    expect(tiles).to_have_count(before)

    site.add(_photos(before, before + 1))
    expect(page.get_by_role("button", name=one)).to_be_visible()
    site.add(_photos(before + 1, before + 2))
    button = page.get_by_role("button", name=two)
    expect(button).to_be_visible()
    expect(page.locator("#facets button")).to_contain_text(str(before + 2))
    expect(tiles).to_have_count(before)
    button.press("Enter")

    expect(tiles).to_have_count(before + 2)
    expect(button).to_be_hidden()
