"""Names and sentences of others, fit for a terminal."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tagtray.config.text import counted, one_line, shown


@given(st.text(st.characters(codec=None)) | st.binary())
def test_what_is_shown_can_be_printed_on_one_line(text: str | bytes) -> None:
    assert shown(text).isprintable()
    shown(text).encode("utf-8")


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"])))
def test_what_can_be_printed_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


@given(st.binary())
def test_a_file_name_looks_the_same_as_bytes_and_as_text(name: bytes) -> None:
    assert shown(os.fsdecode(name)) == shown(name)


def test_a_path_is_shown_with_its_foreign_bytes_and_line_breaks_escaped() -> None:
    assert shown(Path(os.fsdecode(b"/photos/\xff\n.jpg"))) == r"/photos/\xff\n.jpg"


def test_a_sentence_of_several_lines_becomes_one() -> None:
    assert one_line("The disk\r\n   is full.\x1b") == r"The disk is full.\x1b"


def test_one_thing_is_one_and_many_are_many() -> None:
    assert [counted(number, "image") for number in (0, 1, 1234)] == ["0 images", "1 image", "1,234 images"]
