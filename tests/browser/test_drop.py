"""The first page: photos come in every way that a browser knows, and say what they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests import builders, sites
from tests.browser.conftest import Visit
from tests.sites import Site

# Puts files with the given shades of grey into an event as the browser's own dialogs do.
_WITH_FILES = """([name, pictures]) => {
  const data = new DataTransfer();
  for (const [file, bytes] of pictures) {
    data.items.add(new File([new Uint8Array(bytes)], file, {type: "image/jpeg"}));
  }
  const options = {bubbles: true, cancelable: true};
  document.body.dispatchEvent(name === "paste"
    ? new ClipboardEvent("paste", {clipboardData: data, ...options})
    : new DragEvent(name, {dataTransfer: data, ...options}));
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One whose worker finds a beagle in everything, and which answers late ones soon."""
    with sites.site(upload_wait=1.0) as found:
        yield found


def _photo(name: str, shade: int, size: tuple[int, int] = (64, 48)) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": builders.jpeg(shade, size)}


def _card(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("img", name=name))


def _expect_answer(card: Locator) -> None:
    expect(card.locator(".bars")).to_contain_text("beagle70 %")
    expect(card.locator(".chip")).to_have_text(["dog"])


def test_a_photo_that_is_picked_shows_itself_its_labels_and_its_tags(visit: Visit) -> None:
    page = visit("/")

    page.get_by_label("Photos", exact=True).set_input_files(_photo("picked.jpg", 10))

    card = _card(page, "picked.jpg")
    _expect_answer(card)
    expect(card.locator("rect").first).to_have_attribute("style", re.compile("width: 70%"))
    card.get_by_role("link", name="Open picked.jpg").click()
    expect(page).to_have_url("/gallery/1")


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_photos_are_pasted_and_dropped_anywhere_on_the_page(visit: Visit, event: str) -> None:
    page = visit("/")
    shade = {"paste": 20, "drop": 21}[event]

    page.evaluate(_WITH_FILES, [event, [[f"{event}.jpg", list(builders.jpeg(shade))]]])

    _expect_answer(_card(page, f"{event}.jpg"))


def test_a_folder_is_taken_with_all_photos_in_it_and_nothing_else(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "trip/day").mkdir(parents=True)
    (tmp_path / "trip/a.jpg").write_bytes(builders.jpeg(31))
    (tmp_path / "trip/day/b.jpg").write_bytes(builders.jpeg(32))
    (tmp_path / "trip/notes.txt").write_text("nothing to see")
    page = visit("/")

    page.get_by_label("Folder").set_input_files(tmp_path / "trip")

    expect(page.get_by_text("2 of 2 photos")).to_be_visible()
    expect(page.locator(".card")).to_have_count(2)


def test_thirty_at_once_have_one_progress_line_and_move_nothing(visit: Visit) -> None:
    page = visit("/")
    photos = [_photo(f"{number}.jpg", 100 + number) for number in range(30)]

    page.get_by_label("Photos", exact=True).set_input_files(photos)
    before = page.locator(".card").last.bounding_box()

    expect(page.get_by_text("30 of 30 photos")).to_be_visible()
    expect(page.locator(".card.done")).to_have_count(30)
    assert page.locator(".card").last.bounding_box() == before


def test_what_is_no_photo_stays_with_its_reason_and_can_be_tried_again(visit: Visit) -> None:
    page = visit("/")
    text: FilePayload = {"name": "letter.jpg", "mimeType": "image/jpeg", "buffer": b"Dear all"}

    page.get_by_label("Photos", exact=True).set_input_files([text, _photo("good.jpg", 40)])

    failed = page.locator(".card.failed")
    expect(failed).to_contain_text("The file is a text file, not a picture.")
    expect(page.get_by_text("1 of 2 photos · 1 failed")).to_be_visible()
    with page.expect_response("/predict") as answer:
        failed.get_by_role("button", name="Retry").click()
    assert answer.value.status == 422
    expect(failed).to_contain_text("The file is a text file")


def test_a_photo_that_has_to_wait_says_so_and_is_filled_in_later(visit: Visit, site: Site) -> None:
    page = visit("/")
    assert site.worker
    site.worker.hold()

    page.get_by_label("Photos", exact=True).set_input_files(_photo("late.jpg", 50))
    expect(page.locator(".card.kept")).to_contain_text("Kept; it waits to be classified.")
    site.worker.gate.set()

    _expect_answer(_card(page, "late.jpg"))
