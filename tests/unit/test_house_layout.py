"""The repository itself: what its folders are, who imports whom, and that it names no single machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src/tagtray"
#: The folders that ship: parts of the package, linked to where they lie.
PARTS = {link.name for link in PACKAGE.iterdir() if link.is_symlink()}

#: What an editor, a tool or a run leaves behind.
LEFT_BEHIND = {".git", ".venv", ".samples", "__pycache__", "build", "dist"}
#: Folders of one machine, and where packages are fetched from; written so that this file matches none.
FOREIGN = re.compile(r"/[w]ork/|/[r]oot/|[p]ypi\.org|[p]ythonhosted|[n]pmjs")


def test_every_part_of_the_package_is_a_folder_of_its_name() -> None:
    assert {link.name: link.resolve() for link in PACKAGE.iterdir() if link.is_symlink()} == {
        name: REPOSITORY / name for name in PARTS
    }


def test_an_image_of_docker_is_built_from_every_part() -> None:
    wanted = (REPOSITORY / ".dockerignore").read_text("utf-8").split()

    assert {line for line in wanted if line.startswith("!") and line.endswith("/")} == {
        f"!{name}/" for name in {*PARTS, "src"}
    }


@pytest.mark.parametrize(
    ("folder", "never"),
    [
        *((name, {"tools", "benchmarks", "tests"}) for name in sorted(PARTS)),
        ("tools", {"benchmarks", "tests"}),
        ("benchmarks", {"tests"}),
    ],
)
def test_what_ships_imports_no_tools_and_nobody_imports_the_tests(folder: str, never: set[str]) -> None:
    found = [
        f"{file.relative_to(REPOSITORY)}: {name}"
        for file in (REPOSITORY / folder).rglob("*.py")
        for name in _imported(file)
        if name.partition(".")[0] in never
    ]

    assert found == []


def test_nothing_names_a_folder_of_one_machine_or_a_package_registry() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}: {match[0]}"
        for path in _files(REPOSITORY)
        for match in FOREIGN.finditer(path.read_text("utf-8", "replace"))
    ]

    assert found == []


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


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
