"""The album with 100,000 photos: it is scrolled, searched and gone through with a keyboard."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests import builders, sites
from tests.browser.conftest import Visit
from tests.sites import Site

#: Photos, a tenth of them without a date; the others lie in 100 months, the newest first by their number.
PHOTOS, MONTHS = 100_000, 100
#: Elements that may stand for photos at once.
MOST_TILES = 400

_NUMBERS = f"WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {PHOTOS}) "
_ROWS = (
    "INSERT INTO contents (id, sha256, format, width, height, taken_at, color, partial) "
    f"{_NUMBERS} SELECT n, printf('%064d', n), 'JPEG', 400 + n * 37 % 500, 400, CASE WHEN n % 10 > 0 THEN "
    f"datetime('2024-12-15 12:00:00', '-' || (n * {MONTHS} / ({PHOTOS} + 1)) || ' months') || '.000000' END, "
    "printf('#%02x8060', n % 256), 0 FROM n",
    "INSERT INTO images (id, root_id, path, content_id, size_bytes, mtime_ns, ctime_ns, status, priority, "
    f"attempts, first_seen_at, updated_at) {_NUMBERS} SELECT n, 1, printf('%07d.jpg', n), n, 9, 1, 1, "
    "'done', 1, 0, '2026-01-02 03:04:05.000000', '2026-01-02 03:04:05.000000' FROM n",
    "INSERT INTO classifications (content_id, model_id, engine, precision, decode, classified_at) "
    f"{_NUMBERS} SELECT n, 1, 'torch', 'fp32', 'draft', '2026-01-02 03:04:05.000000' FROM n",
    "INSERT INTO predictions (content_id, model_id, rank, class_index, score) "
    f"{_NUMBERS} SELECT n, 1, 1, n % 4, 0.5 + n % 50 / 100.0 FROM n",
    "INSERT INTO tags (content_id, model_id, wnid, score) "
    f"{_NUMBERS} SELECT n, 1, CASE n % 4 WHEN 0 THEN 'c_cat' ELSE 'c_dog' END, 0.5 + n % 50 / 100.0 FROM n "
    "WHERE n % 4 < 3",
)


# Whether the photos in the middle of the window are of a year.
_IN_THE_MIDDLE = """year => [...document.querySelectorAll(".tile")].some(tile => {
  const {top, bottom} = tile.getBoundingClientRect();
  const isInside = top < innerHeight * 0.6 && bottom > innerHeight * 0.4;
  return isInside && tile.querySelector("img").alt.includes(year);
})"""
# The photo that is seen whole and first.
_FIRST_SEEN = """() => [...document.querySelectorAll(".tile")].find(
  tile => tile.getBoundingClientRect().top > 100).dataset.id"""
# Whether a month's heading lies below the search, where its photos go by.
_IS_HEADED = """month => [...document.querySelectorAll(".month > h2")].some(
  heading => heading.textContent.includes(month) && Math.abs(heading.getBoundingClientRect().top - 56) < 1)"""
# Ends when the page does not scroll any more.
_AT_REST = """async () => { for (let last; last !== scrollY; ) {
  last = scrollY;
  await new Promise(done => setTimeout(done, 200));
} }"""
# Whether photos reach below the window.
_IS_FILLED = """() => Math.max(...[...document.querySelectorAll(".tile")].map(
  tile => tile.getBoundingClientRect().bottom)) > innerHeight"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One with rows enough, and no files to them; that no worker runs would be said on top, and move all."""
    with sites.site() as found:
        for statement in _ROWS:
            builders.execute(found.ledger, statement)
        yield found


@pytest.fixture(scope="module")
def thumbnail() -> bytes:
    """What stands for every photo."""
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "#557799").save(file, "WEBP")
    return file.getvalue()


@pytest.fixture
def gallery(visit: Visit, thumbnail: bytes) -> Iterator[Page]:
    """The album, with a thumbnail for every photo."""
    page = visit("about:blank")

    def fulfil(route: Route) -> None:
        route.fulfill(body=thumbnail, content_type="image/webp")

    page.route("**/thumb/**", fulfil)
    page.goto("/gallery")
    expect(page.get_by_role("link", name="beagle").first).to_be_visible()
    yield page


def _top(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["y"]


def test_one_scrolls_through_all_photos_with_few_elements(gallery: Page) -> None:
    heading = gallery.get_by_role("heading", name="December 2024")
    expect(heading).to_be_visible()

    for _ in range(20):
        gallery.mouse.wheel(0, 3_000)
        gallery.evaluate("() => new Promise(requestAnimationFrame)")
    expect(heading).to_have_count(0)
    gallery.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    expect(gallery.get_by_role("heading", name=re.compile("2020")).first).to_be_visible()
    gallery.evaluate("scrollTo(0, document.documentElement.scrollHeight)")

    expect(gallery.get_by_role("heading", name="Without a date")).to_be_visible()
    assert gallery.locator(".tile").count() < MOST_TILES


def test_a_heading_stays_on_top_while_the_photos_of_its_month_go_by(gallery: Page) -> None:
    scrubber = gallery.locator("#scrubber")
    gallery.mouse.click(1270, _top(scrubber.get_by_text("2018")) + 14)

    gallery.wait_for_function(_IS_HEADED, arg="2018")


def test_no_photo_is_left_out_or_shown_twice_where_one_scrolls(gallery: Page) -> None:
    seen: list[int] = []

    while len(seen) < 500:
        gallery.wait_for_function(_IS_FILLED)
        ids = gallery.locator(".tile").evaluate_all("tiles => tiles.map(tile => Number(tile.dataset.id))")
        assert len(ids) == len(set(ids))
        seen += [number for number in ids if number not in seen]
        gallery.mouse.wheel(0, 400)

    # One of ten has no date and comes last; within a month the later row comes first.
    assert seen == [number for number in range(1_000, 0, -1) if number % 10][: len(seen)]


def test_rows_are_as_wide_as_the_page_and_lie_four_pixels_apart(gallery: Page) -> None:
    tiles = gallery.locator(".row").first.locator(".tile")
    boxes = [box for box in map(Locator.bounding_box, tiles.all()) if box]

    pairs = itertools.pairwise(boxes)
    assert [round(after["x"] - before["x"] - before["width"], 1) for before, after in pairs] == [4] * (
        len(boxes) - 1
    )
    assert len({box["height"] for box in boxes}) == 1
    rows = gallery.locator("#rows").bounding_box()
    assert rows and abs(boxes[-1]["x"] + boxes[-1]["width"] - rows["x"] - rows["width"]) < 1


def test_nothing_moves_when_photos_come(gallery: Page) -> None:
    gallery.evaluate(
        """() => { window.moved = 0; new PerformanceObserver(list => {
             for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.moved += entry.value;
           }).observe({type: "layout-shift", buffered: true}); }"""
    )

    gallery.mouse.wheel(0, 2_000)
    expect(gallery.get_by_role("heading", name="November 2024")).to_have_count(0)

    assert gallery.evaluate("window.moved") < 0.02


def test_the_scrubber_leads_to_any_year(gallery: Page) -> None:
    scrubber = gallery.locator("#scrubber")
    expect(scrubber.get_by_text("2018")).to_be_visible()

    tops = [_top(scrubber.get_by_text(year)) for year in ("2018", "2017")]
    gallery.mouse.click(1270, sum(tops) / 2)

    gallery.wait_for_function(_IN_THE_MIDDLE, arg="2018")


def test_a_search_stands_in_the_address_and_in_the_field(gallery: Page) -> None:
    gallery.keyboard.press("/")
    expect(gallery.get_by_label("Search photos")).to_be_focused()
    gallery.keyboard.type("bea")
    option = gallery.get_by_role("option", name="beagle")
    expect(option).to_be_visible()
    gallery.keyboard.press("ArrowDown")
    gallery.keyboard.press("Enter")

    expect(gallery).to_have_url("/gallery?q=beagle")
    expect(gallery.get_by_text("More than 200 photos")).to_be_visible()
    gallery.go_back()
    expect(gallery).to_have_url("/gallery")
    expect(gallery.get_by_label("Search photos")).to_have_value("")
    expect(gallery.get_by_role("heading", name="December 2024")).to_be_visible()


def test_what_a_word_was_taken_for_is_said_where_nothing_is_found(gallery: Page) -> None:
    note = '"crane" is taken as crane bird; it can also mean crane (label:crane).'
    found = {"query": "crane", "order": "score", "notes": [note], "items": [], "cursor": None}
    gallery.route("**/api/images?*", lambda route: route.fulfill(json=found))

    gallery.get_by_label("Search photos").fill("crane")
    gallery.keyboard.press("Enter")

    expect(gallery.locator("#notes")).to_have_text(f"No photo is found. · {note}")
    expect(gallery).to_have_title("crane · tagtray")


def test_a_query_that_cannot_be_read_is_answered_with_the_commands_sentence(gallery: Page) -> None:
    gallery.get_by_label("Search photos").fill("taken:soon")
    gallery.keyboard.press("Enter")

    expect(gallery.get_by_text("taken:soon is no date; write taken:2024")).to_be_visible()


def test_a_chip_adds_its_category_to_the_query_and_takes_it_away(gallery: Page) -> None:
    chip = gallery.get_by_role("button", name="cat 25,000")
    expect(chip).to_have_attribute("aria-pressed", "false")

    chip.click()
    expect(gallery).to_have_url("/gallery?q=cat")
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(gallery.get_by_role("link", name="tabby").first).to_be_visible()
    expect(gallery.get_by_role("link", name="beagle")).to_have_count(0)
    chip.click()

    expect(gallery).to_have_url("/gallery")


def test_keys_lead_to_a_photo_into_it_through_the_query_and_back_to_the_same_place(gallery: Page) -> None:
    gallery.mouse.wheel(0, 6_000)
    expect(gallery.locator(".tile[data-id='999']")).to_have_count(0)
    gallery.evaluate(_AT_REST)
    gallery.wait_for_function(_IS_FILLED)
    gallery.keyboard.press("ArrowDown")
    gallery.keyboard.press("ArrowRight")
    gallery.keyboard.press("ArrowDown")
    focused = gallery.evaluate("() => Number(document.activeElement.closest('.tile').dataset.id)")
    gallery.evaluate(_AT_REST)
    place = gallery.evaluate("scrollY")

    gallery.keyboard.press("Enter")
    expect(gallery).to_have_url(f"/gallery/{focused}")
    article = gallery.get_by_role("article", name="Photo")
    expect(article).to_contain_text(f"{focused:07}.jpg")
    gallery.keyboard.press("ArrowRight")
    expect(gallery).not_to_have_url(re.compile(f"/gallery/{focused}$"))
    expect(article).to_contain_text(".jpg")
    expect(article).not_to_contain_text(f"{focused:07}.jpg")
    gallery.keyboard.press("ArrowLeft")
    expect(gallery).to_have_url(f"/gallery/{focused}")
    gallery.keyboard.press("Escape")

    expect(gallery).to_have_url("/gallery")
    expect(gallery.locator(f".tile[data-id='{focused}'] a")).to_be_focused()
    gallery.wait_for_function("place => scrollY === place", arg=place)


def test_a_photos_address_opens_it_and_leads_to_its_neighbours(gallery: Page) -> None:
    gallery.goto("/gallery/54321")

    article = gallery.get_by_role("article", name="Photo")
    expect(article).to_contain_text("0054321.jpg")
    expect(article).to_contain_text("15 June 2020")
    gallery.get_by_role("button", name="Photo after").click()

    expect(article).to_contain_text("0054319.jpg")
    expect(gallery).to_have_url("/gallery/54319")


def test_an_album_that_is_come_back_to_shows_what_it_showed(gallery: Page) -> None:
    gallery.mouse.wheel(0, 9_000)
    expect(gallery.locator(".tile[data-id='999']")).to_have_count(0)
    gallery.evaluate(_AT_REST)
    gallery.wait_for_function(_IS_FILLED)
    seen = gallery.evaluate(_FIRST_SEEN)

    gallery.get_by_role("link", name="Status").click()
    expect(gallery.get_by_role("heading", name="Status")).to_be_visible()
    gallery.go_back()

    expect(gallery.locator(f".tile[data-id='{seen}']")).to_be_in_viewport()


def test_shift_selects_all_in_between_and_escape_none(gallery: Page) -> None:
    gallery.keyboard.press("ArrowDown")
    gallery.keyboard.press(" ")
    for _ in range(3):
        gallery.keyboard.press("Shift+ArrowRight")

    bar = gallery.get_by_role("region", name="Selected photos")
    expect(bar).to_contain_text("4 selected")
    with gallery.expect_download() as download:
        bar.get_by_role("button", name="Download list").click()
    assert download.value.path().read_text().splitlines() == [
        f"photos/{number:07}.jpg" for number in (999, 998, 997, 996)
    ]
    gallery.keyboard.press("Escape")
    expect(bar).to_be_hidden()
