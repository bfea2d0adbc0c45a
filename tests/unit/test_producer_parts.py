from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.config.errors import UsageError
from tagtray.db.places.roots import RootFolder, Target
from tagtray.db.records import MAX_NS
from tagtray.producer import files, ignore, scope
from tagtray.producer.files import FoundFile
from tagtray.producer.missing import IdSet


@given(st.sets(st.integers(0, 100_000)), st.integers(0, 100_000))
def test_a_set_of_ids_holds_what_was_added_and_nothing_else(ids: set[int], other: int) -> None:
    # When
    numbers = IdSet()
    numbers.update(ids)
    # Then
    assert all(number in numbers for number in ids)
    assert (other in numbers) == (other in ids)


def test_the_age_is_that_of_the_later_change_and_the_future_says_nothing() -> None:
    now = time.time_ns()
    second = 10**9
    # An old mtime, as rsync sets it, does not make a copy old
    assert FoundFile(b"a", 1, now - 900 * second, now - 5 * second, None).age(now) == 5
    assert FoundFile(b"a", 1, now + 900 * second, now - 5 * second, None).age(now) == 5
    assert FoundFile(b"a", 1, now + 900 * second, now + 5 * second, None).age(now) == 0


def test_a_date_beyond_64_bits_fits_the_ledger(tmp_path: Path) -> None:
    # Given
    info = os.lstat(tmp_path)
    fields = list(info)
    far = os.stat_result(fields, {"st_mtime_ns": 10**20, "st_ctime_ns": 0})
    regular = os.stat_result([0o100644, *fields[1:]], {"st_mtime_ns": 10**20, "st_ctime_ns": 0})
    # Then
    assert files.from_stat(os.fsencode(tmp_path), b"x", far) is None
    found = files.from_stat(os.fsencode(tmp_path), b"x", regular)
    assert found is not None
    assert found.mtime_ns == MAX_NS


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xda..\xff\xd9", True),
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xda..", False),
        (b"neither", None),
        (b"", False),
        (bytes(5000), False),
        (b"RIFF\x00\x04\x00\x00WEBPVP8 " + bytes(4096), False),
    ],
    ids=["whole", "half", "foreign", "empty", "preallocated", "preallocated after its head"],
)
def test_the_end_of_a_file_is_seen(tmp_path: Path, data: bytes, end: bool | None) -> None:
    (tmp_path / "file").write_bytes(data)
    assert files.has_end(os.fsencode(tmp_path), b"file") is end


def test_a_named_folder_must_be_one_that_can_be_listed(tmp_path: Path) -> None:
    (tmp_path / "file\n.jpg").write_bytes(b"")
    scope.check(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        scope.check(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"file\\n.jpg is a file"):
        scope.check(tmp_path / "file\n.jpg")
    with pytest.raises(UsageError, match="cannot be read"):
        scope.check(tmp_path / ("x" * 300))


def test_targets_inside_others_are_left_out() -> None:
    # Given
    root, other = RootFolder(1, "a", b"/a"), RootFolder(2, "b", b"/b")
    inner, sibling, deep = Target(root, b"x"), Target(root, b"xy"), Target(root, b"x/y")
    whole = Target(root, b"")
    # Then
    assert scope.outermost([deep, inner, inner, sibling, Target(other, b"")]) == [
        Target(other, b""),
        inner,
        sibling,
    ]
    assert scope.outermost([inner, whole, sibling]) == [whole]


def test_patterns_are_gits_and_the_inner_folder_wins(tmp_path: Path) -> None:
    # Given
    root = os.fsencode(tmp_path)
    (tmp_path / "inner").mkdir()
    (tmp_path / ".tagtrayignore").write_text("# comment\n*.gif\n/private/\n**/thumbs/\n")
    (tmp_path / "inner/.tagtrayignore").write_text("!keep.gif\n")
    # When
    outer = ignore.read(root, b"", None)
    inner = ignore.read(root, b"inner", outer)
    # Then
    assert outer is not None
    assert inner is not None
    assert outer.verdict(b"a.gif", False)
    assert outer.verdict(b"private", True)
    assert not outer.verdict(b"private", False)
    assert not outer.verdict(b"x/private", True)
    assert outer.verdict(b"x/y/thumbs", True)
    assert inner.verdict(b"inner/a.gif", False)
    assert not inner.verdict(b"inner/keep.gif", False)
    assert ignore.read_chain(root, b"inner") == outer


def test_a_hostile_ignore_file_is_harmless(tmp_path: Path) -> None:
    # Given patterns that are none, that would stall, bytes that are no text, a pipe
    root = os.fsencode(tmp_path)
    (tmp_path / ".tagtrayignore").write_bytes(
        b"!\n*a*a*a*a*a*a*a*b\n**/a/**/a/**/a/**/a/**/b\n\xff.jpg\n" + b"x" * 300_000
    )
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/.tagtrayignore")
    # When
    rules = ignore.read(root, b"", None)
    started = time.monotonic()
    # Then
    assert rules is not None
    assert not rules.verdict(b"a" * 200 + b".png", False)
    assert rules.verdict(b"\xff.jpg", False)
    assert ignore.read(root, b"pipe", None) is None
    assert time.monotonic() - started < 1
