from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.imaging import filenames
from tagtray.imaging.filenames import Kind

HIDDEN = [".hidden.jpg", "._IMG_1.jpg", "Thumbs.db", "THUMBS.DB", "desktop.ini", "Icon\r"]
TEMPORARY = ["a.jpg.part", "a.CRDOWNLOAD", "a.jpg~", "a.tmp", "~$report.docx", "a.jpg.filepart", "a.!ut"]


@pytest.mark.parametrize("name", [*HIDDEN, *TEMPORARY])
def test_hidden_and_temporary_names_are_ignored(name: str) -> None:
    assert filenames.classify_name(name.encode()) is Kind.IGNORE


@pytest.mark.parametrize(
    "name",
    ["a.txt", "a.MP4", "a.mov", "a.mp3", "a.zip", "a.jpg.xmp", "IMG_1.AAE", "a.pdf", "a.tar.gz", "a.json"],
)
def test_text_video_audio_archives_and_sidecars_are_skipped(name: str) -> None:
    assert filenames.classify_name(name.encode()) is Kind.SKIP


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "a.JPEG",
        "a.heic",
        "a.dng",
        "noextension",
        "tmp",
        "txt",
        "a.",
        "a.unknown",
        "图.png",
        "a.part.jpg",
    ],
)
def test_everything_else_is_registered(name: str) -> None:
    assert filenames.classify_name(name.encode()) is Kind.REGISTER


@given(st.binary(min_size=1))
def test_any_bytes_are_a_name_of_some_kind(name: bytes) -> None:
    assert filenames.classify_name(name) in Kind
    assert filenames.is_ignored_dir(name) in (True, False)


@pytest.mark.parametrize(
    "name", [b"@eaDir", b".stfolder", b".git", b"#recycle", b"$RECYCLE.BIN", b"__MACOSX"]
)
def test_folders_of_systems_are_never_entered(name: bytes) -> None:
    assert filenames.is_ignored_dir(name)


@pytest.mark.parametrize("name", [b"holiday", b"2024", b"eaDir", b"tmp"])
def test_ordinary_folders_are_entered(name: bytes) -> None:
    assert not filenames.is_ignored_dir(name)
