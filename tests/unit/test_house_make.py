"""``make``: what setting up fetches, and what works without a network afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

#: Stands for the Python of .venv: pip fetches a package of photos for as long as there is a network.
PYTHON = """#!/bin/sh
case "$*" in
*"pip download"*)
    test -e network || exit 1
    mkdir -p skimage/data && cd skimage/data && touch $PHOTOS && cd ../..
    test -e interrupted && rm interrupted && : > .samples/half.whl && exit 1
    exec {python} -m zipfile -c .samples/photos.whl skimage
    ;;
*"pip install"*) test -e network ;;
*) exec {python} "$@" ;;
esac
"""

SOME_TESTS = """
from pathlib import Path

def test_passes(): pass

def test_fails():
    first = not Path("seen").exists()
    Path("seen").touch()
    assert not first and not {fails_again}
"""

DEADLY = """
import os, pytest

@pytest.mark.parametrize("number", range(9))
def test_ends_its_process(number):
    if number == 6 and not os.path.exists("seen"):
        open("seen", "w").close()
        os.kill(os.getpid(), 9)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose virtual environment is a stand-in; ``tagtray`` prints its arguments."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    _script(binaries / "python", PYTHON.format(python=sys.executable))
    _script(binaries / "tagtray", '#!/bin/sh\necho "tagtray $*"; ls "$3"\n')
    return tmp_path


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    names = next(line for line in _makefile_lines() if line.startswith("SAMPLES_NAMES"))
    environment = os.environ | {"PHOTOS": names.partition(":=")[2]}
    command = ["make", "-C", str(checkout), "--no-print-directory", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _makefile_lines() -> list[str]:
    return (REPOSITORY / "Makefile").read_text("utf-8").replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("set_up", [("run", "DIR=photos"), (".venv/.installed-dev",)], ids=["run", "test"])
def test_once_set_up_the_samples_are_classified_without_a_network(
    checkout: Path, set_up: tuple[str, ...]
) -> None:
    # Given a checkout that was set up for something else
    (checkout / "network").touch()
    (checkout / "photos").mkdir()
    first = _make(checkout, *set_up)
    assert first.returncode == 0, first.stderr

    # When there is no network any more
    (checkout / "network").unlink()
    run = _make(checkout, "run")

    # Then the samples are there
    assert run.returncode == 0, run.stderr
    assert "tagtray run -- .samples/photos" in run.stdout
    assert "astronaut.png" in run.stdout


def test_a_set_up_that_was_interrupted_is_done_again(checkout: Path) -> None:
    # Given a network that fails while the samples are fetched
    (checkout / "network").touch()
    (checkout / "interrupted").touch()
    assert _make(checkout, "run").returncode != 0
    assert not (checkout / ".samples/photos").exists()

    # When it is tried again
    run = _make(checkout, "run")

    # Then nothing is missing, and nothing else is left
    assert run.returncode == 0, run.stderr
    assert os.listdir(checkout / ".samples") == ["photos"]
    assert len(os.listdir(checkout / ".samples/photos")) == 9


@pytest.mark.parametrize("user", [0, 1000], ids=["root", "user"])
def test_programs_that_tests_need_are_installed_where_that_may_be_done(checkout: Path, user: int) -> None:
    # Given a machine with one of them, and Debian's installer, which brings the others
    programs = checkout / "bin"
    programs.mkdir()
    for name in ("sh", "touch", "make"):
        (programs / name).symlink_to(str(shutil.which(name)))
    _script(programs / "id", f"#!/bin/sh\necho {user}\n")
    _script(programs / "chromium", "#!/bin/sh\n")
    _script(programs / "apt-get", f'#!/bin/sh\necho "$*" >> {checkout / "asked"}\n')

    # When the target is made
    command = ["make", "-C", str(checkout), "--no-print-directory", ".venv/.installed-debian"]
    made = subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=False)

    # Then root gets them, and anybody else a sentence
    packages = "libimage-exiftool-perl redis-server"
    if user == 0:
        assert made.returncode == 0, made.stderr
        asked = (checkout / "asked").read_text().splitlines()
        assert asked == ["update -qq", f"install -qq -y --no-install-recommends {packages}"]
    else:
        assert made.returncode != 0
        assert f"The tests need {packages}: as root, apt-get install {packages} " in made.stderr
        assert not (checkout / "asked").exists()


@pytest.mark.parametrize(("fails_again", "code", "end"), [(False, 0, "1 passed"), (True, 2, "1 failed")])
def test_what_failed_counts_if_it_fails_alone_too(
    checkout: Path, fails_again: bool, code: int, end: str
) -> None:
    # Given a test that passes, and one that fails at first
    (checkout / "tests").mkdir()
    (checkout / "tests/__init__.py").touch()
    shutil.copy(REPOSITORY / "tests/strict.py", checkout / "tests")
    (checkout / "tests/test_some.py").write_text(SOME_TESTS.format(fails_again=fails_again))

    # When all are run
    done = ["--assume-old=test-fast", "--assume-old=.venv/.installed-debian"]
    run = _make(checkout, "test", "JOBS=0", *done)

    # Then that one runs once more, alone
    first, last = re.findall(r"^=+ (.*) in .*=$", run.stdout, re.MULTILINE)
    assert first == "1 failed, 1 passed"
    assert last.startswith(end)
    assert run.returncode == code


def test_a_process_that_dies_fails_the_run_at_once(checkout: Path) -> None:
    (checkout / "tests").mkdir()
    (checkout / "tests/__init__.py").touch()
    shutil.copy(REPOSITORY / "tests/strict.py", checkout / "tests")
    for name in ("a", "b", "c"):
        (checkout / f"tests/test_{name}.py").write_text(DEADLY)

    run = _make(checkout, "test", "JOBS=2", "--assume-old=test-fast", "--assume-old=.venv/.installed-debian")

    assert len(re.findall(r"crashed while running", run.stdout)) >= 1
    assert "once more" not in run.stdout
    assert run.returncode != 0
