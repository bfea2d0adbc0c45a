"""Settings: where they come from, what is refused and with which sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tagtray.config import settings as configuration
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings


def _refusal(**overrides: Any) -> str:
    with pytest.raises(UsageError) as caught:
        configuration.load(**overrides)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.encode()
    return sentence


def test_defaults_need_no_variable() -> None:
    settings = configuration.load()

    assert settings.queue == "tagtray"
    assert settings.images_per_job == settings.batch_size == 16
    assert settings.redis_url is None


def test_every_setting_has_a_description_that_ends_like_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", "=/path.")), name


def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_BATCHSIZE", "8")

    assert _refusal() == "TAGTRAY_BATCHSIZE is not a setting of tagtray; did you mean TAGTRAY_BATCH_SIZE?"


def test_an_unknown_variable_without_neighbour_points_to_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_QQQQQQQQQQQQQ", "8")

    assert "`tagtray config`" in _refusal()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TAGTRAY_BATCH_SIZE", "0"),
        ("TAGTRAY_BATCH_SIZE", "1025"),
        ("TAGTRAY_BATCH_SIZE", "eight"),
        ("TAGTRAY_BATCH_SIZE", "8.5"),
        ("TAGTRAY_WORKERS", "-1"),
        ("TAGTRAY_LEASE", "0"),
        ("TAGTRAY_LEASE", "nan"),
        ("TAGTRAY_LEASE", "inf"),
        ("TAGTRAY_TAG_MIN", "1.01"),
        ("TAGTRAY_TAG_MIN", "nan"),
        ("TAGTRAY_POLL", "perhaps"),
        ("TAGTRAY_QUEUE", "a b"),
        ("TAGTRAY_QUEUE", "a:b"),
        ("TAGTRAY_LOG_LEVEL", "LOUD"),
        ("TAGTRAY_QUEUE_MAX", "1000001"),
    ],
)
def test_a_value_that_does_not_fit_is_one_sentence_about_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    assert _refusal().startswith(f"{variable}={value} is not accepted: it should be ")


def test_a_number_of_workers_that_is_none_may_have_been_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_WORKERS", "all")

    assert _refusal() == "TAGTRAY_WORKERS=all is not accepted: it should be a valid integer or auto."


def test_an_option_that_does_not_fit_names_its_variable() -> None:
    assert _refusal(batch_size=0).startswith("TAGTRAY_BATCH_SIZE=0 is not accepted")


@pytest.mark.parametrize(("name", "other"), [("database_url", "DATABASE_URL"), ("redis_url", "REDIS_URL")])
def test_another_projects_variable_chooses_no_server(
    monkeypatch: pytest.MonkeyPatch, name: str, other: str
) -> None:
    monkeypatch.setenv(other, "another://server")
    assert getattr(configuration.load(), name) is None
    assert configuration.origin(name) == "default"

    monkeypatch.setenv(f"TAGTRAY_{other}", "own")
    assert getattr(configuration.load(), name) == "own"
    assert configuration.origin(name) == f"TAGTRAY_{other}"

    assert getattr(configuration.load(**{name: "option"}), name) == "option"
    assert configuration.origin(name, {name: "option"}) == "--" + name.replace("_", "-")


@pytest.mark.parametrize("name", [*Settings.model_fields, "root_photos", "unknown"])
def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    expected = configuration.load()

    monkeypatch.setenv(configuration.variable(name), "")

    assert configuration.load() == expected
    assert name == "unknown" or configuration.origin("roots" if "root" in name else name) == "default"


def test_an_option_that_was_not_given_leaves_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_BATCH_SIZE", "7")

    assert configuration.load(batch_size=None).batch_size == 7
    assert configuration.origin("batch_size", {"batch_size": None}) == "TAGTRAY_BATCH_SIZE"
    assert configuration.origin("workers") == "default"


def test_roots_of_this_host_come_from_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_ROOT_PHOTOS", "/mnt/photos")
    monkeypatch.setenv("TAGTRAY_ROOT_OLD_ONES", "/mnt/old")

    assert configuration.load().roots == {"photos": Path("/mnt/photos"), "old_ones": Path("/mnt/old")}
    assert configuration.origin("roots") == "TAGTRAY_ROOT_OLD_ONES, TAGTRAY_ROOT_PHOTOS"


def test_the_collected_roots_are_no_variable_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_ROOTS", "/mnt/photos")

    assert "TAGTRAY_ROOTS is not a setting" in _refusal()


def test_home_is_the_xdg_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")

    assert configuration.load().home == Path("/data/tagtray")


@pytest.mark.parametrize("said", [{}, {"TAGTRAY_HOME": "~/tray"}, {"TAGTRAY_ROOT_PHOTOS": "~/photos"}])
def test_a_user_without_a_home_folder_is_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr("pwd.getpwuid", dict[int, str]().__getitem__)
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    if "TAGTRAY_ROOT_PHOTOS" in said:
        monkeypatch.setenv("TAGTRAY_HOME", "/tray")

    name = next(iter(said), "TAGTRAY_HOME")
    assert _refusal() == f"{name} has to be set to a folder: this user has no home folder (HOME is not set)."


def test_home_is_absolute_with_the_users_folder_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")

    assert configuration.load(home=Path("~/tray")).home == Path("/home/ada/tray")
    assert configuration.load(home=Path("tray")).home == Path.cwd() / "tray"


def test_a_home_whose_name_is_no_text_reaches_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configuration.load(home=Path(os.fsdecode(b"/tmp/\xff")))

    monkeypatch.setenv("TAGTRAY_HOME", configuration.environment(settings)["TAGTRAY_HOME"])

    assert configuration.load() == settings


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        configuration.load().batch_size = 3


@pytest.mark.parametrize(
    "written", [" {}", "{}\r", "{}\n", "'{}'", '"{}"', '" {}" ', "\t'{}'\r\n"], ids=lambda text: repr(text)
)
@pytest.mark.parametrize("name", ["database_url", "redis_url"])
def test_what_files_and_shells_leave_around_a_url_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, name: str, written: str
) -> None:
    monkeypatch.setenv(configuration.variable(name), written.format("scheme://host"))

    assert getattr(configuration.load(), name) == "scheme://host"


@pytest.mark.parametrize("nothing", [" ", "''", '""', "\r\n", "' '"])
def test_a_url_of_blanks_and_quotes_alone_is_not_set(monkeypatch: pytest.MonkeyPatch, nothing: str) -> None:
    monkeypatch.setenv("TAGTRAY_DATABASE_URL", nothing)

    assert configuration.load().database_url is None


_numbers = st.floats(1e-3, 86_400, allow_nan=False)


@given(
    batch_size=st.integers(1, 1024),
    chunk=st.none() | st.integers(1, 1024),
    lease=st.floats(0.5, configuration.LONGEST_LEASE),
    linger_ms=st.floats(0, 1000),
    tag_min=st.floats(0, 1),
    exact=st.booleans(),
    redis_url=st.none() | st.just("redis://h:1/0?a=b"),
    database_url=st.none() | st.just("postgresql://u:p%40@h/d"),
    queue=st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True),
    roots=st.dictionaries(
        st.from_regex(r"[a-z0-9_]{1,9}", fullmatch=True), st.sampled_from([Path("/a b"), Path("/ü")])
    ),
)
def test_another_process_loads_the_very_same_settings(roots: dict[str, Path], **given: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, path in roots.items():
            patch.setenv(f"TAGTRAY_ROOT_{name.upper()}", str(path))
        settings = configuration.load(**given)
    environment = configuration.environment(settings)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        assert configuration.load() == settings
