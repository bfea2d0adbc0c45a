"""``tagtray doctor``: what is wrong here, and what to do."""

from __future__ import annotations

import dataclasses

from tagtray.app import startup
from tagtray.app.doctor import examination
from tagtray.app.doctor.finding import Finding, State
from tagtray.cli import options, output
from tagtray.cli.output import Format


def doctor(json: options.Json = False) -> int:
    """Look for what is wrong with this machine, its folders and both stores; exit code 1 if anything is."""
    findings = list(examination.examine(startup.load()))
    form = Format.JSON if json else Format.TABLE
    columns = ["check", "state", "found", "what to do"]
    if json:
        columns[-1] = "advice"
    output.rows(columns, map(dataclasses.astuple, findings), form)
    return int(any(is_wrong(finding) for finding in findings))


def is_wrong(finding: Finding) -> bool:
    """Whether it has to be mended."""
    return finding.state is State.WRONG
