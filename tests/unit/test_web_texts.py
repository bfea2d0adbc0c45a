"""What the pages say: everything in both languages, in the visitor's own; and how much they weigh."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tagtray.config.errors import ImageCode
from tagtray.imaging.taken import Source
from tagtray.web import pages, preferences
from tagtray.web.texts import TEXTS, Language, Translator

TEMPLATES = sorted((pages.FOLDER / "templates").glob("*.html"))
SCRIPTS = sorted((pages.FOLDER / "static").glob("*.js"))
STYLES = sorted((pages.FOLDER / "static").glob("*.css"))

BRACES = re.compile(r"{(\w+)}")
KEY = re.compile(r"""["'`]([a-z_]+(?:\.[a-z_]+)*)["'`]""")
#: Keys whose last part a page makes from what it shows.
MADE = re.compile(r"^(nav|code|state|origin|taken|judge)\.")
#: Bytes of all scripts and styles, compressed.
BUDGET = 100_000
HAN = re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_is_there_in_both_languages_with_the_same_things_filled_in(key: str) -> None:
    english, chinese = TEXTS[key]

    assert english and chinese
    assert not HAN.search(english)
    assert HAN.search(chinese) or key.endswith(".key")
    assert set(BRACES.findall(english)) - {"n"} == set(BRACES.findall(chinese)) - {"n"}
    assert "!" not in english and "！" not in chinese


def test_a_tag_has_one_word_in_chinese_and_nothing_else_has_it() -> None:
    said = {key for key, (english, _) in TEXTS.items() if re.search(r"\btags?\b", english, re.IGNORECASE)}

    assert said == {key for key, (_, chinese) in TEXTS.items() if "标签" in chinese}


def test_every_text_that_a_page_asks_for_is_there_and_none_is_too_many() -> None:
    used: set[str] = set()
    for file in [*TEMPLATES, *SCRIPTS]:
        text = file.read_text("utf-8")
        asked = {key for call in re.findall(r"\bt\(([^()]*)", text) for key in KEY.findall(call)}
        assert {key for key in asked if "." in key} <= TEXTS.keys(), file.name
        used |= set(KEY.findall(text))

    known = {key.removesuffix(".one") for key in TEXTS}
    assert {key for key in known - used if not MADE.match(key)} == set()


def test_every_code_of_an_image_and_every_source_of_a_date_has_a_text() -> None:
    assert {f"code.{code}" for code in ImageCode} <= TEXTS.keys()
    assert {f"taken.{source}" for source in Source} <= TEXTS.keys()


def test_one_is_singular_and_numbers_are_grouped() -> None:
    english = Translator("en")

    assert english("gallery.count", 1) == "1 photo"
    assert english("gallery.count", 12_400) == "12,400 photos"
    assert english("retry.one", name="a.jpg") == "Retry a.jpg"


def test_a_failure_has_the_ledgers_sentence_and_in_chinese_that_of_its_code() -> None:
    assert Translator("en").reason("empty", "The file has no bytes.") == "The file has no bytes."
    assert Translator("zh").reason("empty", "The file has no bytes.") == "文件为空。"
    assert Translator("zh").reason("new", "What is new.") == "What is new."


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("de,zh;q=0.5,en;q=0.4", "zh"),
        ("fr, de", "en"),
        ("zh;q=0, en", "en"),
        ("zh;q=x", "en"),
        ("*", "en"),
    ],
)
def test_the_language_is_the_first_that_the_browser_wants_and_the_pages_have(
    header: str, language: Language
) -> None:
    assert preferences.accepted(header) == language


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_no_template_has_a_script_or_a_style_that_the_policy_forbids(template: Path) -> None:
    text = template.read_text("utf-8")

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|//[a-z]+\.", text)
    assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_no_script_reads_text_as_html() -> None:
    for script in SCRIPTS:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.read_text()
        )


def test_scripts_and_styles_are_light() -> None:
    assert sum(len(gzip.compress(file.read_bytes())) for file in [*SCRIPTS, *STYLES]) < BUDGET
