"""The wheel: one module, and a program that works far from the checkout."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.acceptance import photos
from tests.acceptance.world import World, page_of

REPOSITORY = Path(__file__).resolve().parents[2]
#: What a wheel is made of.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built without a network."""
    source = tmp_path_factory.mktemp("source")
    packages = [os.readlink(link).removeprefix("../../") for link in _links(REPOSITORY / "src/tagtray")]
    for name in (*SOURCES, *packages):
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    _pip(["wheel", "--no-index", "--no-build-isolation", "--no-deps", "-w", "built", "."], source)
    (built,) = (source / "built").iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel, which finds its dependencies among those of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    _pip(["--python", str(python), "install", "--no-index", "--no-deps", str(wheel)], folder)
    (site,) = folder.glob("lib/python*/site-packages")
    # A line of a .pth file: unlike in site-packages itself, the .pth file of this checkout in it is not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_a_wheel_installs_one_module(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (top_level,) = (name for name in names if name.endswith(".dist-info/top_level.txt"))
        listed = archive.read(top_level).decode().split()

    # Then that is what it says, and what it does
    assert listed == ["tagtray"]
    assert {name.partition("/")[0] for name in names} == {"tagtray", top_level.partition("/")[0]}


def test_a_wheel_holds_every_file_of_every_package(wheel: Path) -> None:
    # Given the files below the links, as git would list them
    ours = {
        f"tagtray/{file.relative_to(REPOSITORY)}"
        for link in _links(REPOSITORY / "src/tagtray")
        for file in link.resolve().rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.startswith("tagtray/")}

    assert shipped == ours | {"tagtray/__init__.py", "tagtray/__main__.py"}


def test_an_installed_wheel_classifies_and_answers(laptop: World, environment: Path, tmp_path: Path) -> None:
    # Given a folder of photos, and the program of the wheel, which cannot see this checkout
    folder = tmp_path / "photos"
    photos.make_many(folder, 2)
    installed = dataclasses.replace(laptop, program=[str(environment / "bin/tagtray")])

    # When it is run and asked
    run = installed.run("run", str(folder), PYTHONPATH="")
    assert run.code == 0, run.errors
    sql = installed.run("sql", "SELECT path FROM top1 ORDER BY path", "--format", "csv", PYTHONPATH="")

    # Then it has done its work
    assert sql.output.split() == ["path", *sorted(os.listdir(folder))]

    # And what it runs is its own
    where = [str(environment / "bin/python"), "-P", "-c", "import tagtray.db; print(tagtray.db.__file__)"]
    clean = os.environ | {"PYTHONPATH": ""}
    found = subprocess.run(where, env=clean, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(environment))

    # And its pages show the photos, with all that they are made of
    address = page_of(installed.start("serve", "--port", "0", PYTHONPATH=""))
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        gallery = client.get("/gallery")
        parts = re.findall(r'(?:href|src)="(/static/[^"]+)"', gallery.text)
        assert gallery.status_code == 200 and len(parts) > 2
        assert {client.get(part).status_code for part in parts} == {200}
        photo, _ = client.get("/api/images").json()["items"]
        assert client.get(photo["thumb"]).headers["content-type"] == "image/webp"


def _links(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_symlink()]


def _pip(arguments: Sequence[str], folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
