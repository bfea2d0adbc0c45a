"""A shell is told how a command line goes on."""

from __future__ import annotations

import pytest

from tagtray.cli import main


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tagtray st", {"stats", "status"}),
        ("tagtray run --me", {"--metrics"}),
        ("tagtray db v", {"vacuum"}),
        ("tagtray run --engine op", {"openvino"}),
    ],
)
def test_commands_options_and_choices_are_completed(
    line: str, expected: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a line as bash hands it over
    monkeypatch.setenv("_TAGTRAY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))

    with pytest.raises(SystemExit):
        main.invoke([])

    assert set(capsys.readouterr().out.split()) == expected
