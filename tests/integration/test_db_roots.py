"""Roots: how folders get their names, and where each lies on this host."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tests import builders


def _folder(home: Path, *names: str) -> Path:
    folder = home.joinpath(*names)
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Photos", "photos"),
        ("My Photos 2024!", "my_photos_2024"),
        ("__x__", "x"),
        ("照片", "photos"),
        ("a" * 200, "a" * 56),
        (os.fsdecode(b"r\xe9sum\xe9"), "rsum"),
    ],
)
def test_a_root_is_named_after_its_folder(ledger: Ledger, host: Settings, folder: str, name: str) -> None:
    path = _folder(host.home, folder)

    target = roots.resolve(ledger.engine, host, path)

    assert (target.root.name, target.below) == (name, b"")
    assert target.root.path == os.fsencode(path.resolve())
    assert roots.everywhere(ledger.engine, host) == {target.root.id: target.root}


def test_the_same_folder_is_the_same_root_however_it_is_reached(ledger: Ledger, host: Settings) -> None:
    folder = _folder(host.home, "photos")
    (host.home / "link").symlink_to(folder)

    first = roots.resolve(ledger.engine, host, folder)

    assert roots.resolve(ledger.engine, host, host.home / "link") == first
    assert roots.resolve(ledger.engine, host, folder / ".." / "photos") == first
    assert roots.resolve(ledger.engine, host, folder, "photos") == first


def test_a_clash_of_names_is_numbered(ledger: Ledger, host: Settings) -> None:
    folders = [_folder(host.home, place, "photos") for place in "abc"]

    names = [roots.resolve(ledger.engine, host, folder).root.name for folder in folders]

    assert names == ["photos", "photos_2", "photos_3"]


def test_a_folder_inside_a_root_uses_that_root(ledger: Ledger, host: Settings) -> None:
    inner = _folder(host.home, "photos", "2024", "may")
    root = roots.resolve(ledger.engine, host, host.home / "photos").root

    assert roots.resolve(ledger.engine, host, inner) == roots.Target(root, b"2024/may")
    assert roots.locate(ledger.engine, host, inner / "a.jpg") == (root, b"2024/may/a.jpg")


def test_a_folder_whose_name_only_begins_alike_is_another_root(ledger: Ledger, host: Settings) -> None:
    roots.resolve(ledger.engine, host, _folder(host.home, "photos"))

    other = roots.resolve(ledger.engine, host, _folder(host.home, "photos2"))

    assert (other.root.name, other.below) == ("photos2", b"")


def test_a_file_belongs_to_the_root_that_holds_it(ledger: Ledger, host: Settings) -> None:
    inner = _folder(host.home, "photos", "best")
    roots.resolve(ledger.engine, host, host.home / "photos")

    found = roots.locate(ledger.engine, host, inner / "a.jpg")

    assert found is not None and (found[0].name, found[1]) == ("photos", b"best/a.jpg")
    assert roots.locate(ledger.engine, host, host.home / "elsewhere.jpg") is None


@pytest.mark.parametrize("name", ["", "Photos", "a b", "a/b", "ü", "a" * 65, "x\n", ";"])
def test_a_name_that_is_no_name_is_refused(ledger: Ledger, host: Settings, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a root"):
        roots.resolve(ledger.engine, host, _folder(host.home, "photos"), name)


def test_a_given_name_is_taken(ledger: Ledger, host: Settings) -> None:
    target = roots.resolve(ledger.engine, host, _folder(host.home, "photos"), "holiday")

    assert target.root.name == "holiday"


def test_a_name_of_another_folder_that_still_exists_is_refused(ledger: Ledger, host: Settings) -> None:
    (_folder(host.home, "a") / "photo.jpg").touch()
    roots.resolve(ledger.engine, host, host.home / "a", "holiday")

    with pytest.raises(UsageError, match=r"The root holiday is .*/a, which is still there; give this folder"):
        roots.resolve(ledger.engine, host, _folder(host.home, "b"), "holiday")


def test_a_root_that_moved_keeps_its_rows_under_its_name(ledger: Ledger, host: Settings) -> None:
    before = roots.resolve(ledger.engine, host, _folder(host.home, "a"), "holiday").root
    (host.home / "a").rename(host.home / "b")

    after = roots.resolve(ledger.engine, host, host.home / "b", "holiday").root

    assert (after.id, after.path) == (before.id, os.fsencode((host.home / "b").resolve()))
    assert roots.everywhere(ledger.engine, host) == {before.id: after}


def test_a_root_may_lie_elsewhere_on_this_host(
    ledger: Ledger, host: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = roots.resolve(ledger.engine, host, _folder(host.home, "photos")).root
    here = _folder(host.home, "mnt", "nas")
    monkeypatch.setenv("TAGTRAY_ROOT_PHOTOS", str(here))
    mapped = builders.settings_for(host.home, host.database_url or "")

    assert roots.everywhere(ledger.engine, mapped)[root.id].path == os.fsencode(here.resolve())
    assert roots.resolve(ledger.engine, mapped, here).root.id == root.id
    assert roots.everywhere(ledger.engine, host)[root.id] == root


def test_a_root_whose_path_is_no_text_is_found_again(ledger: Ledger, host: Settings) -> None:
    folder = os.fsencode(host.home) + b"/\xff\xfe"
    os.mkdir(folder)

    root = roots.resolve(ledger.engine, host, Path(os.fsdecode(folder))).root

    assert root.path == os.path.realpath(folder)
    assert roots.everywhere(ledger.engine, host)[root.id].path == root.path
    assert roots.resolve(ledger.engine, host, Path(os.fsdecode(folder))).root == root


def test_the_root_of_the_file_system_holds_everything(ledger: Ledger, host: Settings) -> None:
    target = roots.resolve(ledger.engine, host, Path("/"))

    assert roots.locate(ledger.engine, host, Path("/nowhere.jpg")) == (target.root, b"nowhere.jpg")


def test_many_processes_may_name_folders_at_once(ledger: Ledger, host: Settings) -> None:
    same = [_folder(host.home, "same", "photos")] * 4
    others = [_folder(host.home, str(number), "photos") for number in range(4)]

    with ThreadPoolExecutor(8) as pool:
        targets = list(pool.map(lambda folder: roots.resolve(ledger.engine, host, folder), same + others))

    assert len({target.root.id for target in targets[:4]}) == 1
    assert len({target.root.name for target in targets}) == 5
