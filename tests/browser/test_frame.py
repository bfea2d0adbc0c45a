"""What all pages share: languages, themes, small screens, people who use no mouse, and news of the work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests import builders, sites
from tests.browser.conftest import Visit, barriers
from tests.sites import Site
from tests.waiting import wait_for

PAGES = (
    *("/", "/gallery", "/gallery?q=dog", "/gallery/1", "/teach"),
    *("/failures", "/failures?code=empty", "/status", "/docs", "/nothing"),
)
#: The chip of a category that all photos show: those from the start, and one that a test repairs.
DOGS = re.compile("^dog 2[01]$")
_EMPTY = "SELECT status FROM images WHERE path = 'empty.jpg'"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One with some photos, and files that are none."""
    with sites.site() as found:
        photos = {
            f"{number}.jpg": builders.jpeg(
                9 * number, (64, 40 + number), f"2024:0{1 + number % 9}:02 10:00:00"
            )
            for number in range(20)
        }
        found.add({**photos, "letter.jpg": b"Dear all", "empty.jpg": b"", "half.jpg": builders.jpeg(3)[:300]})
        yield found


def _photo(number: int) -> bytes:
    return builders.jpeg(9 * number, (64, 40 + number), f"2024:0{1 + number % 9}:02 10:00:00")


def _settled(page: Page) -> None:
    """Return when a page shows what it fetches."""
    page.wait_for_load_state("load")
    path = page.url.split("/", 3)[-1]
    if path == "gallery" or "?q=" in path:
        expect(page.locator(".tile img").first).to_have_js_property("complete", True)
    elif path.startswith("gallery/"):
        expect(page.locator(".detail .facts")).to_be_visible()
    elif path == "docs":
        page.locator("summary", has_text="POST /predict").click()
    elif path == "teach":
        expect(page.locator("#none")).to_be_visible()


def test_no_page_has_a_serious_barrier(visit: Visit) -> None:
    page = visit("/", color_scheme="light", reduced_motion="reduce")
    found = {}
    for path in PAGES:
        page.goto(path)
        _settled(page)
        page.emulate_media(color_scheme="light")
        found[path, "light"] = barriers(page)
        page.emulate_media(color_scheme="dark")
        found[path, "dark"] = barriers(page)

    assert {look: there for look, there in found.items() if there} == {}


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_no_page_is_wider_than_a_small_phone(visit: Visit, locale: str) -> None:
    page = visit("/", width=360, locale=locale, has_touch=True)
    widths = {}
    for path in PAGES:
        page.goto(path)
        _settled(page)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
        links = page.get_by_role("navigation").get_by_role("link")
        expect(links).to_have_count(5)

    assert widths == dict.fromkeys(PAGES, 360)


def test_the_browsers_language_is_spoken_until_another_is_chosen(visit: Visit) -> None:
    page = visit("/failures", locale="zh-CN")
    expect(page.get_by_role("heading", level=1)).to_have_text("失败")
    expect(page.locator(".reason", has_text="文件为空。")).to_be_visible()

    page.get_by_role("button", name="EN").click()

    expect(page).to_have_url("/failures")
    expect(page.get_by_role("heading", level=1)).to_have_text("Failures")
    expect(page.locator(".reason", has_text="The file is empty.")).to_be_visible()
    page.goto("/gallery")
    expect(page.get_by_role("button", name=DOGS)).to_be_visible()


def test_labels_and_tags_are_chinese_on_chinese_pages(visit: Visit) -> None:
    page = visit("/gallery/1", locale="zh-CN")

    expect(page.locator(".detail .bars")).to_contain_text("比格犬70 %")
    expect(page.locator(".detail .tags .chip")).to_contain_text("狗")


def test_dark_follows_the_system_until_a_theme_is_chosen(visit: Visit) -> None:
    page = visit("/", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)

    with page.expect_response("**/preferences"):
        page.get_by_role("button", name="Light").click()
    expect(page.get_by_role("button", name="Dark")).to_be_visible()
    light = page.evaluate(ground)
    page.goto("/status")

    assert (dark, light) == ("rgb(19, 19, 21)", "rgb(255, 255, 255)")
    assert page.evaluate(ground) == light


def test_a_failure_is_tried_again_and_leaves_the_list(visit: Visit, site: Site) -> None:
    (site.settings.home / "photos/half.jpg").write_bytes(builders.jpeg(3))
    page = visit("/failures")
    expect(page.get_by_role("listitem")).to_have_count(3)

    page.get_by_role("button", name="Retry half.jpg").click()

    expect(page.get_by_text("1 photo is tried again.")).to_be_visible()
    expect(page.get_by_text("half.jpg")).to_have_count(0)
    expect(page.get_by_text("2 photos could not be classified.")).to_be_visible()
    reasons = page.get_by_role("group", name="Reasons")
    expect(reasons.get_by_role("link", name="All 2")).to_be_visible()
    expect(reasons.get_by_role("link", name="The image ends too early. 0")).to_be_visible()


def test_a_failure_that_is_opened_shows_why_and_nothing_that_is_not_there(visit: Visit, site: Site) -> None:
    [(number,)] = builders.query(site.ledger, "SELECT id FROM images WHERE path = 'letter.jpg'")
    page = visit(f"/gallery/{number}")

    about = page.locator(".about")
    expect(about).to_contain_text("The file is a text file, not a picture.")
    expect(about.locator("dt")).to_have_text(["State", "Path"])
    expect(page.locator(".detail .photo img")).to_be_hidden()


def _once_it_failed(site: Site) -> Callable[[Route], None]:
    """Lets a page hear of the work when that is over already."""

    def follow(route: Route) -> None:
        wait_for(lambda: builders.query(site.ledger, _EMPTY) == [("failed",)])
        route.continue_()

    return follow


def test_failures_of_one_reason_are_shown_and_tried_again(visit: Visit, site: Site) -> None:
    page = visit("/failures")
    reasons = page.get_by_role("group", name="Reasons")

    reasons.get_by_role("link", name="The file is empty. 1").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url("/failures?code=empty")
    expect(page.get_by_text("empty.jpg")).to_be_visible()
    expect(page.get_by_text("letter.jpg")).to_have_count(0)
    page.wait_for_load_state("load")
    page.route("**/events", _once_it_failed(site))
    with page.expect_request("**/api/retry") as sent:
        page.get_by_role("button", name="Retry this one").press("Enter")

    assert sent.value.post_data_json == {"code": "empty"}
    expect(page).to_have_url("/failures")
    expect(page.get_by_text("empty.jpg")).to_be_visible()


def test_reasons_are_told_in_chinese(visit: Visit) -> None:
    page = visit("/failures?code=not_an_image", locale="zh-CN")

    reasons = page.get_by_role("group", name="原因")
    expect(reasons.get_by_role("link", name="文件不是图片。")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("button", name="重试这 1 张")).to_be_visible()


def test_selected_photos_are_tried_again(visit: Visit, site: Site) -> None:
    page = visit("/gallery")
    _settled(page)

    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    page.keyboard.press("Shift+ArrowRight")
    bar = page.get_by_role("region", name="Selected photos")
    expect(bar).to_contain_text("2 selected")
    with page.expect_response("**/api/retry") as answered:
        bar.get_by_role("button", name="Retry").press("Enter")

    assert answered.value.json() == {"images": 2}
    expect(page.get_by_text("2 photos are tried again.")).to_be_visible()
    expect(bar).to_be_hidden()


def test_on_a_phone_the_number_of_selected_photos_has_a_line_of_its_own(visit: Visit) -> None:
    page = visit("/gallery", width=375)
    _settled(page)

    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")

    count = page.get_by_text("1 selected")
    expect(count).to_be_visible()
    line = count.bounding_box()
    assert line and line["height"] < 30


def test_pages_work_without_scripts(visit: Visit) -> None:
    page = visit("/gallery", java_script_enabled=False)
    expect(page.get_by_role("link", name="beagle").nth(19)).to_be_visible()
    page.get_by_label("Search photos").fill("cat")
    page.keyboard.press("Enter")
    expect(page).to_have_url("/gallery?q=cat")
    expect(page.locator(".plain li")).to_have_text(["No photo is found."])

    page.goto("/failures")
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        page.get_by_role("button", name="Retry letter.jpg").click()

    assert answered.value.status == 303
    expect(page).to_have_url("/failures")


def test_a_server_that_is_away_is_said(visit: Visit) -> None:
    page = visit("/gallery")
    _settled(page)

    page.context.set_offline(True)

    expect(page.get_by_text("what is shown may be old")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("what is shown may be old")).to_be_hidden()


def test_tab_leads_past_the_frame_and_to_one_photo(visit: Visit) -> None:
    page = visit("/gallery")
    _settled(page)
    expect(page.get_by_role("button", name=DOGS)).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=DOGS)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".tile a").first).to_be_focused()
