"""A browser and a visitor in it: Debian's Chromium, and nothing that a page says on its console."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.sites import Site

#: Milliseconds that anything may take: a busy machine takes many times as long as an idle one.
PATIENCE = 60_000
#: Answers that pages ask for and tell people of, and that a test takes the network away while something is
#: fetched; the browser notes them on its console all the same.
TOLD = re.compile(r"status of (400|401|404|422|429|503|504)|ERR_INTERNET_DISCONNECTED")

#: What axe says of a page is let pass below these.
SERIOUS = ("serious", "critical")

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("These tests need Chromium: `apt-get install chromium` brings it.")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Opens pages of the site, each for a visitor of its own; their consoles stay empty."""
    complaints: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not TOLD.search(message.text):
            complaints.append(message.text)

    def opened(path: str, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(
            base_url=site.url, viewport={"width": width, "height": 800}, **{"locale": "en-GB", **options}
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", heard)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def barriers(page: Page) -> list[tuple[str, str]]:
    """What axe finds that is serious, and where."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS]
