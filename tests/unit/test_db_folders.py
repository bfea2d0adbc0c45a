"""Where a folder really lies: through links, bind mounts and letter case."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagtray.db.places import folders


def test_links_dots_and_slashes_lead_to_one_path(tmp_path: Path) -> None:
    (tmp_path / "photos/2024").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    spellings = ["photos/2024", "photos/2024/", "link/2024", "photos/../link/./2024//"]

    found = {folders.real(os.fsencode(f"{tmp_path}/{spelling}")) for spelling in spellings}

    assert found == {os.fsencode(tmp_path.resolve() / "photos/2024")}


def test_a_name_is_spelled_as_a_file_system_that_ignores_case_lists_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file system that finds PHOTOS as photos, and takes two forms of ü for one
    for name in ("Photos", "Photos/M\u00fcnchen"):
        (tmp_path / name).mkdir()
    plain = os.lstat

    def lstat(path: bytes) -> os.stat_result:
        known = {b"photos": b"Photos", "mu\u0308nchen".encode(): "M\u00fcnchen".encode()}
        parts = os.path.relpath(path, os.fsencode(tmp_path)).split(b"/")
        return plain(os.path.join(os.fsencode(tmp_path), *(known.get(p.lower(), p) for p in parts)))

    monkeypatch.setattr(os, "lstat", lstat)
    monkeypatch.setattr(os.path, "realpath", os.path.abspath)
    listing = {False: [b"Photos"], True: ["M\u00fcnchen".encode()]}
    monkeypatch.setattr(os, "listdir", lambda path: listing[b"hotos" in path])

    # When a folder is named in another case and form, then it is spelled as it is listed
    assert folders.real(tmp_path / "pHOTOS" / "Mu\u0308nchen") == os.fsencode(
        tmp_path / "Photos/M\u00fcnchen"
    )


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        (b"/data/photos", b"/data/photos", b""),
        (b"/data/photos/2024", b"/data/photos", b"2024"),
        (b"/data/photos2", b"/data/photos", None),
        (b"/srv/share", b"/data/photos", b""),  # mount --bind /data/photos /srv/share
        (b"/srv/share/2024", b"/data/photos", b"2024"),
        (b"/data/photos/2024", b"/srv/share", b"2024"),
        (b"/srv/my year/may", b"/data/photos", b"2024/may"),  # mount --bind /data/photos/2024 "/srv/my year"
        (b"/srv/my year", b"/srv/share", b"2024"),
        (b"/usb/photos", b"/data/photos", None),  # another file system
        (b"/", b"/data", None),
    ],
)
def test_a_bind_mount_of_a_folder_is_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: bytes, folder: bytes, expected: bytes | None
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "22 21 8:2 / /data rw - ext4 /dev/sda2 rw\n"
        "23 21 8:2 /photos /srv/share rw - ext4 /dev/sda2 rw\n"
        "24 21 8:2 /photos/2024 /srv/my\\040year rw - ext4 /dev/sda2 rw\n"
        "25 21 8:3 / /usb rw - vfat /dev/sdb1 rw\n"
    )
    monkeypatch.setattr(folders, "MOUNTINFO", str(mounts))

    assert folders.relative(path, folder) == expected


def test_without_the_table_of_mounts_paths_alone_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOUNTINFO", str(tmp_path / "none"))

    assert folders.relative(b"/a/b", b"/a") == b"b"
    assert folders.relative(b"/b", b"/a") is None


def test_an_empty_folder_is_gone_and_one_that_cannot_be_read_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()

    gone = {name: folders.is_gone(os.fsencode(tmp_path / name)) for name in ("empty", "none", "file", ".")}

    assert gone == {"empty": True, "none": True, "file": True, ".": False}
