"""The plugin that lets no test be skipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

TESTS = """
import pytest

def test_skips(): pytest.skip("no server")

@pytest.mark.skip
def test_is_skipped(): pass

@pytest.mark.xfail
def test_is_expected_to_fail(): assert False

@pytest.mark.xfail
def test_passes_unexpectedly(): pass

def test_passes(): pass
"""


def test_whatever_does_not_run_fails(tmp_path: Path) -> None:
    # Given tests that do not run, a whole file of them, and one test that passes
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_none.py").write_text("import pytest\npytest.skip('no', allow_module_level=True)\n")

    # When they are run as `make test` does
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.strict", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*command, "--continue-on-collection-errors", f"--rootdir={tmp_path}", tmp_path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )

    # Then only that one has passed, and the run fails
    assert found.stdout.splitlines()[-1].startswith("3 failed, 1 passed, 2 errors in"), found.stdout
    assert found.returncode == 1
