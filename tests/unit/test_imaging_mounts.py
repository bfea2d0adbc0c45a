"""Which file system a folder lies on, and whether other machines hold it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagtray.imaging import mounts


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
