from __future__ import annotations

import errno
import hashlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tagtray.config.errors import ImageCode, ImageDeferred, ImageError, ImageGone
from tagtray.imaging import mounts, opening

MAX_BYTES = 1_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"picture")
    return folder


def refused(root: Path, relative: bytes) -> ImageCode:
    with pytest.raises(ImageError) as caught:
        opening.open_image(root, relative, max_bytes=MAX_BYTES)
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("form", [Path, str, os.fsencode])
def test_a_file_is_read_and_hashed(root: Path, form: Callable[[Path], bytes | str | Path]) -> None:
    status = (root / "a.jpg").stat()

    source = opening.open_image(form(root), b"a.jpg", max_bytes=MAX_BYTES)

    assert source.data == b"picture"
    assert source.sha256 == hashlib.sha256(b"picture").hexdigest()
    assert (source.size_bytes, source.mtime_ns) == (7, status.st_mtime_ns)


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))

    opening.open_image(root, b"a.jpg", max_bytes=MAX_BYTES)
    for name in (b"gone.jpg", b"../x", b""):
        with pytest.raises((ImageError, ImageGone)):
            opening.open_image(root, name, max_bytes=MAX_BYTES)

    assert len(os.listdir("/proc/self/fd")) == before


def test_names_that_are_no_utf8_are_opened(root: Path) -> None:
    folder = os.path.join(os.fsencode(root), b"\xff")
    os.mkdir(folder)
    with open(os.path.join(folder, b"caf\xe9\n.jpg"), "wb") as file:
        file.write(b"x")

    assert opening.open_image(root, b"\xff/caf\xe9\n.jpg", max_bytes=MAX_BYTES).data == b"x"


@pytest.mark.parametrize("relative", [b"/etc/hostname", b"../secret", b"a/../../secret", b"a/.."])
def test_a_path_that_leads_out_is_refused(root: Path, relative: bytes) -> None:
    (root.parent / "secret").write_bytes(b"secret")

    assert refused(root, relative) is ImageCode.OUTSIDE_ROOT


@pytest.mark.parametrize("relative", [b"", b"a\0.jpg"])
def test_a_path_that_is_none_is_refused(root: Path, relative: bytes) -> None:
    assert refused(root, relative) is ImageCode.UNREADABLE


def test_links_that_leave_the_root_are_refused_whether_of_a_file_or_of_a_folder(root: Path) -> None:
    outside = root.parent / "root-neighbour"
    outside.mkdir()
    (outside / "b.jpg").write_bytes(b"secret")
    (root / "file.jpg").symlink_to(outside / "b.jpg")
    (root / "folder").symlink_to(outside)
    (root / "null.jpg").symlink_to("/dev/null")

    assert refused(root, b"file.jpg") is ImageCode.OUTSIDE_ROOT
    assert refused(root, b"folder/b.jpg") is ImageCode.OUTSIDE_ROOT
    assert refused(root, b"null.jpg") is ImageCode.OUTSIDE_ROOT


def test_links_that_stay_inside_and_a_root_that_is_a_link_are_followed(root: Path) -> None:
    (root / "link.jpg").symlink_to("a.jpg")
    alias = root.parent / "alias"
    alias.symlink_to(root)

    assert opening.open_image(alias, b"link.jpg", max_bytes=MAX_BYTES).data == b"picture"


def test_a_link_to_itself_is_refused(root: Path) -> None:
    (root / "loop.jpg").symlink_to("loop.jpg")

    assert refused(root, b"loop.jpg") is ImageCode.UNREADABLE


def test_a_fifo_a_socket_and_a_folder_are_refused_without_waiting(root: Path) -> None:
    os.mkfifo(root / "fifo.jpg")
    (root / "folder.jpg").mkdir()

    assert refused(root, b"fifo.jpg") is ImageCode.NOT_AN_IMAGE
    assert refused(root, b"folder.jpg") is ImageCode.NOT_AN_IMAGE
    # A socket's path is bounded to 107 bytes, pytest's folders may be longer.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.join(short, "s.jpg"))
        assert refused(Path(short), b"s.jpg") is ImageCode.UNREADABLE


def test_an_empty_file_and_one_over_the_limit_are_failed(root: Path) -> None:
    (root / "empty.jpg").touch()
    with (root / "huge.jpg").open("wb") as file:
        file.truncate(10**12)  # sparse: reading it would not end

    assert refused(root, b"empty.jpg") is ImageCode.EMPTY
    assert refused(root, b"huge.jpg") is ImageCode.TOO_LARGE


@pytest.mark.parametrize("relative", [b"gone.jpg", b"gone/a.jpg", b"a.jpg/b.jpg"])
def test_a_file_that_is_not_there_is_gone(root: Path, relative: bytes) -> None:
    with pytest.raises(ImageGone):
        opening.open_image(root, relative, max_bytes=MAX_BYTES)


def test_a_root_that_is_not_there_never_makes_its_files_gone(root: Path) -> None:
    for missing in (root / "nowhere", root / "a.jpg"):
        with pytest.raises(ImageDeferred) as caught:
            opening.open_image(missing, b"a.jpg", max_bytes=MAX_BYTES)
        assert caught.value.seconds == opening.ROOT_SECONDS


def failing(code: int, when: Callable[[object], bool]) -> Callable[..., int]:
    """An os.open that fails as a mount would; the file systems of a test cannot be made to."""
    really = os.open

    def opened(path: object, flags: int, *rest: int, **options: int) -> int:
        if when(path):
            raise OSError(code, os.strerror(code))
        return really(path, flags, *rest, **options)  # type: ignore[arg-type]

    return opened


@pytest.mark.parametrize(
    "name", ["EIO", "ESTALE", "ETIMEDOUT", "ENOTCONN", "EHOSTDOWN", "EMFILE", "ENOMEM", "EKEYEXPIRED"]
)
def test_a_fault_of_the_mount_is_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, "open", failing(getattr(errno, name), lambda path: path == b"a.jpg"))

    with pytest.raises(ImageDeferred) as caught:
        opening.open_image(root, b"a.jpg", max_bytes=MAX_BYTES)

    assert caught.value.seconds == opening.FAULT_SECONDS


@pytest.mark.parametrize("call", ["read", "fstat"])
@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "Stale file handle"), MemoryError()])
def test_a_fault_after_the_file_was_opened_is_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    def fails(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch, pytest.raises(ImageDeferred):
        patch.setattr(os, call, fails)
        opening.open_image(root, b"a.jpg", max_bytes=MAX_BYTES)


@pytest.mark.parametrize("name", ["EACCES", "EPERM"])
def test_permission_is_the_files_fault_unless_the_root_itself_refuses(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    code = getattr(errno, name)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(code, lambda path: path == b"a.jpg"))
        assert refused(root, b"a.jpg") is ImageCode.UNREADABLE

    monkeypatch.setattr(os, "open", failing(code, lambda path: path == root))
    with pytest.raises(ImageDeferred):
        opening.open_image(root, b"a.jpg", max_bytes=MAX_BYTES)


@pytest.mark.parametrize("name", ["EACCES", "EPERM"])
def test_a_refusal_on_a_network_mount_may_pass(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Given a root in which one folder is mounted from another machine that refuses to hand out its files
    (root / "nas").mkdir()
    (root / "nas/b.jpg").write_bytes(b"picture")
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda / ext4 rw 0 0\nnas:/ {root}/nas nfs4 rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", str(table))
    code = getattr(errno, name)
    monkeypatch.setattr(os, "open", failing(code, lambda path: path in (b"a.jpg", b"nas/b.jpg")))

    # Then its file is tried again, and one on a disk of this machine is not
    with pytest.raises(ImageDeferred, match="may not be read"):
        opening.open_image(root, b"nas/b.jpg", max_bytes=MAX_BYTES)
    assert refused(root, b"a.jpg") is ImageCode.UNREADABLE


def test_a_file_that_grows_while_it_is_read_is_deferred(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.read

    def reading(descriptor: int, count: int) -> bytes:
        with (root / "a.jpg").open("ab") as file:
            file.write(b"more")
        return really(descriptor, count)

    monkeypatch.setattr(os, "read", reading)

    with pytest.raises(ImageDeferred) as caught:
        opening.open_image(root, b"a.jpg", max_bytes=MAX_BYTES)
    assert caught.value.seconds == opening.CHANGED_SECONDS


def test_a_file_that_shrinks_while_it_is_read_is_deferred(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.read

    def reading(descriptor: int, count: int) -> bytes:
        os.truncate(root / "a.jpg", 3)
        return really(descriptor, count)

    monkeypatch.setattr(os, "read", reading)

    with pytest.raises(ImageDeferred):
        opening.open_image(root, b"a.jpg", max_bytes=MAX_BYTES)


def test_short_reads_are_put_together(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: really(descriptor, min(count, 2)))

    assert opening.open_image(root, b"a.jpg", max_bytes=MAX_BYTES).data == b"picture"


def test_a_link_that_is_swapped_all_the_time_never_gives_a_file_outside(root: Path) -> None:
    # Given a folder that is now a real one, now a link out of the root
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "b.jpg").write_bytes(b"secret")
    inside = root / "inside"
    inside.mkdir()
    (inside / "b.jpg").write_bytes(b"inside")
    spare, swap, done = root / "spare", root / "swap", threading.Event()
    swap.symlink_to(outside)

    def swapping() -> None:
        while not done.is_set():
            os.rename(inside, spare)
            os.rename(swap, inside)
            os.rename(inside, swap)
            os.rename(spare, inside)

    thread = threading.Thread(target=swapping)
    thread.start()
    seen = set()
    try:
        for _ in range(2_000):
            try:
                seen.add(opening.open_image(root, b"inside/b.jpg", max_bytes=MAX_BYTES).data)
            except (ImageError, ImageGone):
                seen.add(b"refused")
    finally:
        done.set()
        thread.join()

    # Then the secret is never seen
    assert seen <= {b"inside", b"refused"}
