"""Which file system a folder lies on, and whether other machines hold it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagtray.imaging import mounts


@pytest.mark.parametrize(
    ("kind", "keeps"), [("ext4", True), ("btrfs", True), ("nfs4", False), ("vfat", False), ("fuse.x", False)]
)
def test_inode_numbers_count_where_the_file_system_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, keeps: bool
) -> None:
    # Given
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda / {kind} rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", str(table))
    mounts.keeps_inodes.cache_clear()
    folder, device = os.fsencode(tmp_path), tmp_path.stat().st_dev
    # Then
    assert mounts.keeps_inodes(folder, device) is keeps
    # And of a file system that is mounted below, or gone, nothing is known
    assert not mounts.keeps_inodes(folder, device + 1)
    assert not mounts.keeps_inodes(folder + b"/nowhere", device)
    mounts.keeps_inodes.cache_clear()


def test_the_file_system_of_a_folder_is_that_of_its_innermost_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/sda / ext4 rw 0 0\n"
        "nas:/ /mnt/my\\040photos nfs4 rw 0 0\n"
        "/dev/sdb /mnt/my\\040photos/local ext4 rw 0 0\n"
        "host:/ /mnt/over fuse.sshfs rw 0 0\n"
    )
    monkeypatch.setattr(mounts, "MOUNTS", str(table))
    # Then
    assert mounts.file_system(b"/home") == "ext4"
    assert mounts.file_system(b"/mnt/my photos/a") == "nfs4"
    assert mounts.file_system(b"/mnt/my photos") == "nfs4"
    assert mounts.file_system(b"/mnt/my photos/local/a") == "ext4"
    assert mounts.file_system(b"/mnt/overture") == "ext4"
    assert mounts.file_system(b"/mnt/over/x") in mounts.NETWORK
    assert mounts.network_type(b"/mnt/my photos/a") == "nfs4"
    assert mounts.network_type(b"/home") is None
    # And where there is no such table nothing is known
    table.unlink()
    assert mounts.file_system(b"/") == ""
