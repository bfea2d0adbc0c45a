"""Unit tests start no server and load no network: here both are refused."""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import pytest

from tagtray.jobs.embedded_redis import server

#: Modules that take a second to import, or a network to be of use.
NETWORKS = frozenset({"torch", "torchvision", "onnx", "onnxruntime", "openvino"})
HERE = Path(__file__).parent


class _Refused(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the networks' libraries, so that they count as installed, and fails to load them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = PathFinder.find_spec(fullname, path) if fullname in NETWORKS else None
        if found:
            found.loader = self
        return found

    def exec_module(self, module: ModuleType) -> None:
        raise AssertionError(f"A unit test imports {module.__name__}: move it to tests/integration.")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse the libraries; together with other layers the tests find them loaded."""
    named = [Path(argument.partition("::")[0]).absolute() for argument in config.args]
    if all(path.is_relative_to(HERE) for path in named):
        sys.meta_path.insert(0, _Refused())


@pytest.fixture(scope="session")
def postgres() -> None:
    pytest.fail("A unit test asks for PostgreSQL: move it to tests/integration.")


@pytest.fixture(scope="session")
def redis_server() -> None:
    pytest.fail("A unit test asks for Redis: move it to tests/integration.")


@pytest.fixture(autouse=True)
def _no_embedded_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(home: Path) -> Path:
        pytest.fail(f"A unit test starts a Redis in {home}: move it to tests/integration.")

    monkeypatch.setattr(server, "ensure", refuse)
