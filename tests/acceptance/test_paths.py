"""Every setting that holds a path takes any path: blanks, quotes, line breaks, what URLs read, no UTF-8."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from tagtray.config.settings import Settings
from tagtray.jobs.embedded_redis import server
from tests import builders, networks
from tests.acceptance import inside
from tests.acceptance.world import World
from tools.servers import Postgres

#: A name with all that some text protocol, URL, shell or list of arguments reads as its own.
TEXT = ' My "Disk\'s" \n\t100% %20 ?a=b&c#d;e:f,g @[*] {x} $HOME `x` \\n +é\u4e2d-- '
NAME = TEXT + os.fsdecode(b"\xff\xfe")


@contextlib.contextmanager
def _home(world: World, folder: Path) -> Iterator[dict[str, str]]:
    networks.copied_to(folder)
    yield {"TAGTRAY_HOME": str(folder)}


@contextlib.contextmanager
def _data_folder(world: World, folder: Path) -> Iterator[dict[str, str]]:
    networks.copied_to(folder / "tagtray")
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


@pytest.mark.parametrize(
    "settings", [("home", "roots"), ("XDG_DATA_HOME", "database_url", "redis_url")], ids="+".join
)
def test_settings_take_any_path(laptop: World, settings: Sequence[str]) -> None:
    # Given photos in folders of such a name, one of which is a root, and settings that lead into others
    folder = laptop.folder / "photos"
    photos = [folder / NAME / f"{NAME}.jpg", laptop.folder / NAME / "a.jpg"]
    for number, photo in enumerate(photos):
        photo.parent.mkdir(parents=True)
        photo.write_bytes(builders.jpeg(number))

    # When the whole job is done
    with contextlib.ExitStack() as stack:
        variables: dict[str, str] = {}
        for setting in settings:
            place = laptop.folder / setting / NAME
            place.mkdir(parents=True)
            variables |= stack.enter_context(SETTINGS[setting](laptop, place))
        world = World(laptop.home, variables)
        ended = world.run("run", f"photos={folder}", str(photos[1].parent))
        shown = [world.run("show", str(photo)) for photo in photos]
        listed = inside.run(world, "config", "--json")
        status = inside.run(world, "status")

    # Then it was, by a worker that did not die
    assert (ended.code, ended.forward) == (0, 2), ended.errors
    assert "worker_died" not in ended.errors
    assert (listed.code, status.code) == (0, 0), listed.errors + status.errors
    assert [(one.code, "done" in one.output) for one in shown] == [(0, True)] * 2, shown


def test_a_postgresql_socket_may_lie_in_any_folder_that_is_text(laptop: World, postgres: Postgres) -> None:
    with postgres.database() as url:
        plain = url.partition("host=")[2]
        folder = laptop.folder / " a\"b'\n%20?c=d&e#f é "  # libpq takes no more than the kernel
        os.symlink(plain, folder)
        world = World(laptop.home, {"TAGTRAY_DATABASE_URL": url.replace(plain, quote(str(folder)))})

        upgraded = inside.run(world, "db", "upgrade")
        status = inside.run(world, "status")

    assert (upgraded.code, status.code) == (0, 0), upgraded.errors
