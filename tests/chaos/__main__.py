"""``python -m tests.chaos --rounds 100``: rounds of kill -9 and worse, by seed; 1 if a promise broke.

Photos are taken from --photos, or made: small distinct pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.chaos import members
from tests.chaos.photos import made_photos
from tests.chaos.rounds import Report, Round
from tools import servers

#: What cannot be copied out of the home of a broken round.
_SOCKETS = shutil.ignore_patterns("*.sock")


def main() -> int:
    """Play the rounds and print a line for each."""
    options = _options()
    reports = []
    with made_photos(options.images, options.photos) as photos, _databases(options.database) as database:
        for seed in range(options.seed, options.seed + options.rounds):
            with database() as url, _home() as home:
                report = Round(seed, photos, home, options.kinds, url).play()
                if not report.clean:
                    shutil.copytree(
                        home,
                        Path(tempfile.gettempdir()) / f"chaos-{seed}",
                        dirs_exist_ok=True,
                        ignore=_SOCKETS,
                    )
            reports.append(report)
            print(_line(report), flush=True)
    print(_sum(reports))
    return 0 if all(report.clean for report in reports) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kinds", nargs="+", choices=members.KINDS, default=members.KINDS)
    return parser.parse_args()


def _line(report: Report) -> str:
    faults = ", ".join(f"{fault.kind} ({fault.recovered or 0:.1f} s)" for fault in report.faults)
    return (
        f"seed {report.seed}: {'kept' if report.clean else 'BROKEN'} in {report.seconds:.0f} s; "
        f"lost {report.lost}, failed {report.failed}, orphans {report.orphans}, rules {report.broken_rules}, "
        f"extra forward passes {report.extra} of {report.in_hand} in hand; {faults}"
    )


def _sum(reports: list[Report]) -> str:
    def total(name: str) -> int:
        return sum(getattr(report, name) for report in reports)

    return (
        f"{len(reports)} rounds, {sum(len(report.faults) for report in reports)} faults: "
        f"lost {total('lost')}, failed {total('failed')}, orphans {total('orphans')}, "
        f"extra forward passes {total('extra')} of {total('in_hand')} in hand, "
        f"slowest recovery {max(report.recovery for report in reports):.1f} s"
    )


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tagtray-chaos-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _databases(kind: str) -> Iterator[Callable[[], contextlib.AbstractContextManager[str | None]]]:
    if kind == "sqlite":
        yield lambda: contextlib.nullcontext(None)
    else:
        with servers.postgres() as server:
            yield server.database


if __name__ == "__main__":
    sys.exit(main())
