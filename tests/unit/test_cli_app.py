"""How the command ends: exit codes and single sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from tagtray import weights
from tagtray.cli import main, summary
from tagtray.cli.lazy import LazyGroup
from tagtray.config.errors import InfrastructureError


@pytest.fixture(autouse=True)
def _home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_HOME", str(home / "none"))


def _fails_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def fail() -> None:
        raise error

    monkeypatch.setattr("tagtray.app.bootstrap.reading", lambda _settings: fail())
    return main.invoke(["status"])


@pytest.mark.parametrize("name", main.COMMANDS)
def test_the_help_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    group = typer.main.get_group(main.app)
    assert isinstance(group, LazyGroup)

    own = group.load(name).help or ""
    assert main.COMMANDS[name][1] == " ".join(own.split("\n\n")[0].split())


def test_what_the_help_of_find_leaves_out_is_not_all_that_it_asks_for() -> None:
    _, _, without = main.COMMANDS["find"][1].partition("dog -")

    names = (Path(weights.__file__).parent / "categories.tsv").read_text("utf-8")
    dog = next(line for line in names.splitlines() if line.split("\t")[1] == "dog")
    assert without.partition(",")[0] not in dog.replace("\t", "|").split("|")


def test_version_and_help_end_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.invoke(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tagtray 0.")
    assert main.invoke(["run", "--help"]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "tagtray: No such command 'nothing'; `tagtray --help` says more."),
        (["run"], "tagtray: Missing argument '[NAME=]DIR...'; `tagtray run --help` says more."),
        (["status", "--jsn"], "tagtray: No such option"),
        (["run", "--batch-size", "0", "."], "tagtray: Invalid value for '--batch-size'"),
        (["run", "--workers", "x", "."], "tagtray: --workers takes a number from 1 to 256 or auto, not 'x'."),
        (["run", "--precision", "fp16", "."], "tagtray: The precision fp16 is for GPUs; a CPU computes in "),
        (["work", "--engine", "torch", "--precision", "int8"], "tagtray: The engine torch does not compute"),
        (["show", "a.jpg"], "tagtray: There is no ledger at "),
        (["sql", "SELECT 1"], "tagtray: There is no ledger at "),
        (["roots", "remove", "photos"], "tagtray: There is no ledger at "),
        (["roots", "move", "photos", "."], "tagtray: There is no ledger at "),
        (["run", ""], "tagtray: '' is no folder and no value; is a variable of the shell not set?"),
        (["run", "photos", "--", ""], "tagtray: '' is no folder and no value;"),
        (["retry", ""], "tagtray: '' is no folder and no value;"),
        (["bench", "--end-to-end", ""], "tagtray: '' is no folder and no value;"),
        (["bench", "--end-to-end="], "tagtray: '--end-to-end=' is no folder and no value;"),
        (["run", "--port", "0", "."], "tagtray: --host, --port and --no-auth are about the web pages: say"),
        (["run", "photos="], "tagtray: photos= does not exist."),
        (
            ["failures", "--code", "nope"],
            "tagtray: Invalid value for '--code': 'nope' is not one of 'empty', ",
        ),
        (
            ["similar", "a.jpg", "--limit", "x"],
            "tagtray: Invalid value for '--limit': Input should be a valid integer; `tagtray similar",
        ),
        (
            ["tag", "--album"],
            "tagtray: Option '--album' requires an argument; `tagtray tag --help` says more.",
        ),
        (["fnid", "dog"], "tagtray: No such command 'fnid'. Did you mean 'find'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_one_sentence(
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.invoke([*arguments]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(sentence)
    assert "?;" not in line
    assert captured.out == ""


def test_a_file_to_look_at_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    found = [summary.typed(str(tmp_path / name)) for name in ("here/-b.jpg", "here/a b.jpg", "c.jpg")]

    assert found == ["./-b.jpg", "a b.jpg", str(tmp_path / "c.jpg")]


def test_infrastructure_is_one_sentence_and_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fails_with(InfrastructureError("The disk\n  is full."), monkeypatch) == 1
    assert capsys.readouterr().err == "tagtray: The disk is full.\n"


def test_what_nobody_expected_is_one_sentence_that_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fails_with(ZeroDivisionError("by zero"), monkeypatch) == 1
    assert capsys.readouterr().err == (
        "tagtray: An unexpected error: ZeroDivisionError: by zero; TAGTRAY_LOG_LEVEL=DEBUG shows where.\n"
    )


def test_with_debug_the_traceback_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGTRAY_LOG_LEVEL", "DEBUG")

    assert _fails_with(ZeroDivisionError("by zero"), monkeypatch) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_130_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fails_with(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr().err == ""


def test_a_setting_that_is_none_ends_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGTRAY_LEASE", "-1")

    for arguments in (["status"], ["config"], ["sql", "SELECT 1"], ["weights", "list"], ["db", "upgrade"]):
        assert main.invoke([*arguments]) == 2
        assert capsys.readouterr().err.startswith("tagtray: TAGTRAY_LEASE=-1 is not accepted")
