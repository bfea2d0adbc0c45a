"""The files for containers, as far as they can be judged without an engine that runs them.

``schemas/compose-spec.json`` is the Compose Specification's own (Apache-2.0, beside it).
"""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from tagtray.cli.lazy import LazyGroup
from tagtray.cli.main import app
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.jobs import refusals

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((REPOSITORY / "tests/schemas/compose-spec.json").read_text("utf-8"))
COMPOSE, NVIDIA = "docker-compose.yml", "docker-compose.nvidia.yml"
#: ${NAME}, ${NAME:-default}, ${NAME:?sentence}.
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
#: What somebody enters into .env where the example is empty.
SECRET = "0123456789abcdef"
#: Services that run tagtray without pages.
ROLES = ("migrate", "producer", "worker")


def example() -> dict[str, str]:
    """The variables of .env.example, with what has to be filled in."""
    lines = (REPOSITORY / ".env.example").read_text("utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return {name: value or SECRET for name, value in pairs}


def interpolated(name: str, variables: Mapping[str, str]) -> str:
    """A file with its variables replaced, as Compose does it."""

    def replace(found: re.Match[str]) -> str:
        if value := variables.get(found["name"]):
            return value
        assert found["kind"] == "-", f"{found['name']} has to be set"
        return found["rest"]

    return VARIABLE.sub(replace, (REPOSITORY / name).read_text("utf-8"))


def loaded(name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(interpolated(name, variables))
    return content


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = loaded(COMPOSE, example())["services"]
    return found


@pytest.mark.parametrize("name", [COMPOSE, NVIDIA])
def test_a_compose_file_is_one_by_the_specification(name: str) -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(loaded(name, example()))


def test_the_example_names_every_variable_and_no_other() -> None:
    used = {
        found["name"]
        for name in (COMPOSE, NVIDIA)
        for found in VARIABLE.finditer((REPOSITORY / name).read_text("utf-8"))
    }

    assert used == example().keys()


def test_nothing_starts_without_passwords() -> None:
    required = {
        found["name"]
        for found in VARIABLE.finditer((REPOSITORY / COMPOSE).read_text("utf-8"))
        if found["kind"] == "?"
    }

    assert required == {"PHOTOS", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "TAGTRAY_TOKEN"}


def test_what_is_said_of_volumes_networks_and_services_is_there(services: dict[str, Any]) -> None:
    whole = loaded(COMPOSE, example())
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert set(service["networks"]) <= whole["networks"].keys()
        assert {volume.split(":")[0] for volume in service.get("volumes", ())} <= whole["volumes"].keys()


def test_every_container_is_bound(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        if name != "migrate":
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name
        if name in (*ROLES, "web"):
            assert service["cap_drop"] == ["ALL"], name
            assert all(
                volume.endswith(":ro") for volume in service.get("volumes", ()) if "photos:" in volume
            ), name


def test_only_the_pages_are_published_and_on_this_machine_alone(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])
    assert loaded(COMPOSE, example())["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", ROLES)
def test_settings_and_commands_are_tagtrays(
    services: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the variables of a container
    for variable, value in services[name]["environment"].items():
        monkeypatch.setenv(variable, value)

    # When they are read, then they are settings with values that are accepted
    settings = configuration.load(home="/var/lib/tagtray")
    assert isinstance(settings, Settings)
    assert settings.roots["photos"] == Path("/photos")

    # And the command is one that there is
    group: Any = typer.main.get_command(app)
    for word in services[name]["command"]:
        if isinstance(group, TyperGroup):
            assert word in group.commands
            group = group.load(word) if isinstance(group, LazyGroup) else group.commands[word]


def test_redis_keeps_what_it_is_told_and_knows_one_user() -> None:
    lines = loaded(COMPOSE, example())["configs"]["redis"]["content"].splitlines()

    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"} <= set(lines)
    assert "user default off" in lines
    # As the sentence says that tagtray gives where a user may do too little
    rights = "~rq:* ~tagtray:* &tagtray:* +@all -@dangerous +info"
    assert f"user tagtray on >{SECRET} {rights}" in lines
    assert rights in refusals._ACL


def test_the_image_breaks_no_rule_of_hadolint() -> None:
    program = Path(sysconfig.get_path("scripts")) / "hadolint"

    ended = subprocess.run([program, "Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True)

    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text("utf-8").splitlines()

    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    assert 'ENTRYPOINT ["tagtray"]' in lines
