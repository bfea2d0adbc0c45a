"""The house itself: its names are its own, and it says nothing of the machine that it was built on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]

#: What an editor, a tool or a run leaves behind.
LEFT_BEHIND = {".git", ".venv", ".samples", "__pycache__", "build", "dist"}
#: Folders of one machine, and where packages are fetched from; written so that this file matches none.
FOREIGN = re.compile(r"/[w]ork/|/[r]oot/|[p]ypi\.org|[p]ythonhosted|[n]pmjs")


def test_no_dependency_ships_a_package_of_our_names() -> None:
    # Given the top-level names of the house, and those that only the repository has
    ours = {name.partition(".")[0] for name in PACKAGES} | {"benchmarks", "docs", "tests", "web"}

    # When everything that is installed is asked for its top-level names
    shipped = metadata.packages_distributions()

    # Then nobody else has one of ours
    assert {name: shipped[name] for name in ours & shipped.keys() if set(shipped[name]) != {"tagtray"}} == {}


def test_every_package_of_ours_is_installed() -> None:
    top = {name.partition(".")[0] for name in PACKAGES}
    found = {
        ".".join(init.parent.relative_to(REPOSITORY).parts)
        for name in top
        for init in (REPOSITORY / name).rglob("__init__.py")
    }

    assert found == set(PACKAGES)


def test_every_data_file_of_a_package_is_installed() -> None:
    # Given every file of our packages that is no Python
    files = {
        path
        for name in PACKAGES
        for path in _files(REPOSITORY / name.replace(".", "/"))
        if path.suffix != ".py"
    }

    # When the patterns of the package data are followed
    data = PROJECT["tool"]["setuptools"]["package-data"]
    found = {
        path
        for name, patterns in data.items()
        for pattern in patterns
        for path in (REPOSITORY / name.replace(".", "/")).glob(pattern)
    }

    # Then they find each of them
    assert found == files


def test_nothing_names_a_folder_of_one_machine_or_a_package_registry() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}: {match[0]}"
        for path in _files(REPOSITORY)
        for match in FOREIGN.finditer(path.read_text("utf-8", "replace"))
    ]

    assert found == []


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if (
            path.name in LEFT_BEHIND
            or path.name.endswith(("_cache", ".egg-info"))
            or path.name == ".hypothesis"
        ):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path
