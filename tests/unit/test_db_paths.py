"""File names as text: every name has its own text, and every text leads back to its name."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from tagtray.db import paths

names = st.binary(min_size=1).filter(lambda raw: b"\0" not in raw) | st.lists(
    st.sampled_from([b"\xef\xbf\xbd", b"\xff", b"\xef", b"\xbf", b"ef", b"bf", b"a", b"/", b"\xe4\xb8\xad"]),
    min_size=1,
).map(b"".join)


@given(names)
@example("\ufffd".encode())
@example("\ufffdff".encode())
@example(b"\xff\xfe/\xed\xa0\x80.jpg")
def test_a_text_is_valid_and_leads_back_to_its_name(raw: bytes) -> None:
    text, kept = paths.to_text(raw)

    assert text.encode("utf-8").decode("utf-8") == text
    assert paths.from_text(text) == raw
    assert paths.to_bytes(text, kept) == raw


@given(names, names)
@example(b"\xff", "\ufffdff".encode())
@example("\ufffd".encode(), "\ufffdef\ufffdbf\ufffdbd".encode())
def test_no_two_names_share_a_text(one: bytes, other: bytes) -> None:
    assert (paths.to_text(one)[0] == paths.to_text(other)[0]) == (one == other)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffd"), min_size=1))
def test_an_ordinary_name_is_stored_as_it_is(name: str) -> None:
    assert paths.to_text(name.encode()) == (name, None)


def test_a_folders_text_begins_the_texts_of_its_files() -> None:
    folder, file = b"\xc4pfel\xff", b"\xc4pfel\xff/\xfcber.jpg"

    assert paths.to_text(file)[0].startswith(paths.to_text(folder)[0] + "/")


@given(st.binary(min_size=1, max_size=4000))
def test_a_name_that_fits_is_no_longer_than_an_index_holds(raw: bytes) -> None:
    assert paths.fits(raw) == (len(paths.to_text(raw)[0].encode()) <= paths.MAX_TEXT_BYTES)
