"""Plugin: a test that is skipped or expected to fail is a failure, and so is a process that dies."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import pytest

#: Exit status of a run that is not whole: a process died, and with it the tests that it still had to run.
DIED = pytest.ExitCode.INTERNAL_ERROR

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

_DEATHS = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _failed((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _failed((yield))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    if error:
        node.config.stash[_DEATHS] = True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _DEATHS in session.config.stash:
        session.exitstatus = DIED


def _failed(report: Report) -> Report:
    if report.skipped or hasattr(report, "wasxfail"):
        reason = getattr(report, "wasxfail", "") or report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"Tests are not skipped here: {reason}"
        vars(report).pop("wasxfail", None)
    return report
