"""Every setting that holds a path takes any path: blanks, quotes, line breaks, what URLs read, no UTF-8."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tagtray.config.settings import Settings
from tagtray.jobs.embedded_redis import server
from tests import builders
from tests.acceptance.world import World
from tools.servers import Postgres

#: A name with all that some text protocol, URL, shell or list of arguments reads as its own.
TEXT = ' My "Disk\'s" \n\t100% %20 ?a=b&c#d;e:f,g @[*] {x} $HOME `x` \\n +é\u4e2d-- '
NAME = TEXT + os.fsdecode(b"\xff\xfe")


@contextlib.contextmanager
def _home(world: World, folder: Path) -> Iterator[dict[str, str]]:
    yield {"TAGTRAY_HOME": str(folder)}


@contextlib.contextmanager
def _data_folder(world: World, folder: Path) -> Iterator[dict[str, str]]:
    yield {"TAGTRAY_HOME": "", "XDG_DATA_HOME": str(folder)}


@contextlib.contextmanager
def _sqlite(world: World, folder: Path) -> Iterator[dict[str, str]]:
    yield {"TAGTRAY_DATABASE_URL": "sqlite:///" + quote(os.fsencode(folder / "ledger.db"))}


@contextlib.contextmanager
def _redis(world: World, folder: Path) -> Iterator[dict[str, str]]:
    server.ensure(folder)
    yield {"TAGTRAY_REDIS_URL": "unix://" + quote(os.fsencode(folder / server.SOCKET))}
    server.release(folder)


@contextlib.contextmanager
def _root(world: World, folder: Path) -> Iterator[dict[str, str]]:
    os.symlink(world.folder / "photos", folder / "elsewhere")
    yield {"TAGTRAY_ROOT_PHOTOS": str(folder / "elsewhere")}


Place = Callable[[World, Path], contextlib.AbstractContextManager[dict[str, str]]]
SETTINGS: dict[str, Place] = {
    "home": _home,
    "XDG_DATA_HOME": _data_folder,
    "database_url": _sqlite,
    "redis_url": _redis,
    "roots": _root,
}


def test_the_list_has_every_setting_that_holds_a_path() -> None:
    holds = {
        name
        for name, field in Settings.model_fields.items()
        if "Path" in str(field.annotation) or name.endswith("_url")
    }

    assert holds == {name for name in SETTINGS if name.islower()}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_takes_any_path(laptop: World, setting: str) -> None:
    # Given photos, in a folder of such a name, too, and a setting that leads into another
    folder, photos = laptop.folder / NAME, laptop.folder / "photos"
    inner = photos / NAME
    folder.mkdir()
    inner.mkdir(parents=True)
    (inner / f"{NAME}.jpg").write_bytes(builders.jpeg())

    # When the whole job is done
    with SETTINGS[setting](laptop, folder) as variables:
        world = World(laptop.home, variables)
        ended = world.run("run", f"photos={photos}")
        shown = world.run("show", str(inner / f"{NAME}.jpg"))
        listed = world.run("config", "--json")
        status = world.run("status")

    # Then it was, by a worker that did not die
    assert (ended.code, ended.forward) == (0, 1), ended.errors
    assert "worker_died" not in ended.errors
    assert (shown.code, listed.code, status.code) == (0, 0, 0), shown.errors + listed.errors + status.errors
    assert "done" in shown.output


def test_a_folder_of_any_name_is_a_root(laptop: World) -> None:
    folder = laptop.folder / NAME
    folder.mkdir()
    (folder / "a.jpg").write_bytes(builders.jpeg())

    ended = laptop.run("run", str(folder))

    assert (ended.code, ended.forward) == (0, 1), ended.errors
    assert laptop.run("show", str(folder / "a.jpg")).code == 0


def test_a_postgresql_socket_may_lie_in_any_folder_that_is_text(laptop: World, postgres: Postgres) -> None:
    with postgres.database() as url:
        plain = url.partition("host=")[2]
        folder = laptop.folder / " a\"b'\n%20?c=d&e#f é "  # libpq takes no more than the kernel
        os.symlink(plain, folder)
        world = World(laptop.home, {"TAGTRAY_DATABASE_URL": url.replace(plain, quote(str(folder)))})

        upgraded = world.run("db", "upgrade")
        status = world.run("status")

    assert (upgraded.code, status.code) == (0, 0), upgraded.errors
