"""People say what photos show: one at a time, many at once, and an own tag that is learned from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

import pytest
from playwright.sync_api import Page, Route, expect

from tests import builders, lessons, sites
from tests.browser.conftest import Visit
from tests.sites import Site

#: Photos of gardens, which the small model takes for beagles as it does all others.
GARDENS = 40


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One with gardens and twenty kinds of other photos."""
    with sites.site(works=False) as found:
        lessons.collection(found.ledger, found.root.id, {"garden": GARDENS, **lessons.others(200)})
        yield found


@pytest.fixture
def album(visit: Visit) -> Iterator[Visit]:
    """Opens pages on which every photo has the same thumbnail."""
    picture = builders.jpeg()

    def fulfil(route: Route) -> None:
        route.fulfill(body=picture, content_type="image/jpeg")

    def opened(path: str) -> Page:
        page = visit("about:blank")
        page.route("**/thumb/**", fulfil)
        page.goto(path)
        return page

    yield cast(Visit, opened)


def _select_gardens(page: Page, first: int, last: int) -> None:
    page.goto("/gallery?q=path:garden")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(GARDENS)
    tiles.nth(first).hover()
    tiles.nth(first).get_by_role("button").click()
    tiles.nth(last).click(modifiers=["Shift"])


def test_a_tag_is_rejected_and_that_is_undone(album: Visit) -> None:
    page = album("/gallery/60")
    tags = page.locator(".detail .tags")
    expect(tags).to_contain_text("dog network")

    tags.get_by_role("button", name="This is not dog").click()
    expect(tags).not_to_contain_text("dog")
    page.get_by_role("button", name="Undo").click()

    expect(tags).to_contain_text("dog network")
    toast = page.locator("#toast")
    expect(toast).to_have_text("Taken back.")
    expect(toast).to_have_css("padding-right", "16px")


def test_what_is_said_on_a_chinese_page_is_chinese(visit: Visit) -> None:
    page = visit("/gallery/62", locale="zh-CN")

    page.get_by_role("button", name="这不是狗").click()

    expect(page.get_by_text("这不是狗。")).to_be_visible()


def test_a_tag_is_added_with_suggestions_and_is_yours(album: Visit) -> None:
    page = album("/gallery/61")
    field = page.get_by_role("combobox", name="This is …")

    field.press_sequentially("ca")
    page.get_by_role("option", name="cat").click()
    page.get_by_role("button", name="Add").click()

    expect(page.locator(".detail .tags")).to_contain_text("cat you")
    expect(page.locator("#toast")).to_have_text("This is cat.Undo")
    field.fill("cat")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("This is cat.")
    page.goto("/gallery?q=cat")
    expect(page.locator(".tile[data-id='61']")).to_be_visible()


def test_no_class_is_suggested_for_a_photo(album: Visit) -> None:
    page = album("/gallery/61")
    beagle = {"name": "beagle", "name_zh": "比格犬", "kind": "label"}
    dog = {"name": "dog", "name_zh": "狗", "kind": "category"}
    page.route("**/api/suggest*", lambda route: route.fulfill(json=[beagle, dog]))

    page.get_by_role("combobox", name="This is …").fill("g")

    expect(page.get_by_role("option")).to_have_text(["dog狗"])


def test_an_own_tag_of_one_photo_says_what_it_waits_for(album: Visit) -> None:
    page = album("/gallery/63")
    page.get_by_role("combobox", name="This is …").fill("our boat")
    page.keyboard.press("Enter")
    expect(page.get_by_text("our boat is an own tag now, with 1 example.")).to_be_visible()

    page.goto("/teach")

    tag = page.get_by_role("article", name="our boat")
    expect(tag).to_contain_text("It is not learned yet; from five examples on")


def test_photos_are_selected_and_said_not_to_show_something(album: Visit) -> None:
    page = album("/")
    _select_gardens(page, 30, 32)
    bar = page.get_by_role("region", name="Selected photos")
    expect(bar).to_contain_text("3 selected")

    bar.get_by_role("button", name="This is not …").click()
    bar.get_by_role("combobox").fill("dog")
    bar.get_by_role("button", name="Say so").click()

    expect(page.get_by_text("3 photos: this is not dog.")).to_be_visible()
    expect(bar).to_be_hidden()
    page.goto("/gallery?q=dog path:garden")
    expect(page.locator(".tile")).to_have_count(GARDENS - 3)


def test_an_own_tag_is_begun_in_the_gallery_learned_and_judged(album: Visit) -> None:
    page = album("/")
    _select_gardens(page, 0, 11)
    bar = page.get_by_role("region", name="Selected photos")
    bar.get_by_role("button", name="This is …").click()
    bar.get_by_role("combobox").fill("our garden")
    page.keyboard.press("Enter")
    expect(page.get_by_text("our garden is an own tag now, with 12 examples.")).to_be_visible()

    page.get_by_role("link", name="Teach").click()
    tag = page.get_by_role("article", name="our garden")
    expect(tag).to_contain_text("12 examples, 0 counter-examples")
    expect(tag).not_to_contain_text("It is being learned.")
    expect(tag).to_contain_text(re.compile("[0-9]+ photos"))
    expect(tag.get_by_role("img")).to_have_count(6)

    tag.get_by_role("button", name="Judge the next 20").click()
    expect(page.get_by_role("heading", name="Is this our garden?")).to_be_visible()
    expect(page.get_by_text("1 of 20")).to_be_visible()
    for key, place in [("n", "2 of 20"), (" ", "3 of 20"), ("y", "4 of 20")]:
        page.keyboard.press(key)
        expect(page.get_by_text(place)).to_be_visible()
    said = page.locator("#toast")
    expect(said).to_have_text("This is our garden.Undo")
    above, below = said.bounding_box(), page.locator(".answers").bounding_box()
    assert above and below and above["y"] + above["height"] <= below["y"]
    page.keyboard.press("Escape")

    expect(tag).to_contain_text("13 examples, 1 counter-example")


def test_similar_photos_lead_on(album: Visit, site: Site) -> None:
    page = album("/gallery/1")

    strip = page.locator(".strip a")
    expect(strip).to_have_count(8)
    strip.first.click()

    expect(page).to_have_url(re.compile("/gallery/([2-9]|[1-3][0-9]|40)$"))
    page.go_back()
    expect(page).to_have_url("/gallery/1")
