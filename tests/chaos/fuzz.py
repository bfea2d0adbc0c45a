"""``python -m tests.chaos.fuzz --count 3000 FOLDER...``: mutated pictures, by seed, through ``tagtray run``.

Every file must end done or failed with a code and a sentence; worker deaths are named with their culprits.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from sqlalchemy import func, select

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db.access import engine
from tagtray.db.tables import Image, Status
from tests.chaos import members

#: Bytes that decoders trip over: limits of signed and unsigned fields.
INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
#: Bytes at the start of a file in which headers lie.
HEADER = 512
#: Changes to one file at most.
CHANGES = 12


def flip(data: bytearray, chance: random.Random) -> None:
    """Flip one bit."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def extreme(data: bytearray, chance: random.Random) -> None:
    """Put the same extreme byte over 1 to 4 bytes of the header."""
    start = chance.randrange(min(len(data), HEADER))
    data[start : start + chance.randint(1, 4)] = bytes([chance.choice(INTERESTING)]) * chance.randint(1, 4)


def truncate(data: bytearray, chance: random.Random) -> None:
    """Cut the end off."""
    del data[chance.randrange(len(data)) :]


def repeat(data: bytearray, chance: random.Random) -> None:
    """Put a piece of the file in once more, somewhere else."""
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randint(1, 256)]
    place = chance.randrange(len(data))
    data[place:place] = piece


def noise(data: bytearray, chance: random.Random) -> None:
    """Overwrite a piece with random bytes."""
    start = chance.randrange(len(data))
    data[start : start + 64] = chance.randbytes(min(64, len(data) - start))


MUTATIONS: Sequence[Callable[[bytearray, random.Random], None]] = (flip, extreme, truncate, repeat, noise)


def mutate(original: bytes, chance: random.Random) -> bytes:
    """A few random mutations, one after the other."""
    data = bytearray(original)
    for _ in range(chance.randint(1, CHANGES)):
        if data:
            chance.choice(MUTATIONS)(data, chance)
    return bytes(data)


def write_mutations(sources: Sequence[Path], folder: Path, count: int, seed: int) -> None:
    """``count`` mutated files in ``folder``; the same seed gives the same bytes."""
    chance = random.Random(seed)
    for number in range(count):
        source = chance.choice(sources)
        name = f"{number:06}-{source.name[-60:]}"
        (folder / name).write_bytes(mutate(source.read_bytes(), chance))


def main() -> int:
    """Make the files, run over them, print what became of them; exit code 1 if one has no final state."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.fuzz", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sources = sorted(path for folder in options.folders for path in folder.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder, home = Path(scratch) / "mutations", Path(scratch) / "home"
        folder.mkdir()
        home.mkdir()
        write_mutations(sources, folder, options.count, options.seed)
        return _run(home, [folder, *options.folders])


def _run(home: Path, folders: Sequence[Path]) -> int:
    began, peak = time.monotonic(), 0
    environment = os.environ | members.environment(home)
    command = subprocesses.command("tagtray", "run", *map(str, folders))
    with (home / "run.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        while process.poll() is None:
            peak = max([peak, *map(_resident, members.of(home)[members.WORKER])])
            time.sleep(0.2)
    deaths = (home / "run.log").read_text(errors="replace").count("worker_died")
    unfinished = _report(home)
    print(f"exit code {process.returncode}, {time.monotonic() - began:.0f} s, worker deaths {deaths}, ")
    print(f"largest worker {peak / 2**20:.0f} MiB")
    return 0 if process.returncode == 0 and not unfinished else 1


def _report(home: Path) -> int:
    """Print states, codes and culprits; how many files have no final state."""
    rows = select(Image.status, Image.error_code, func.count()).group_by(Image.status, Image.error_code)
    killers = select(Image.path, Image.error_code).where(Image.error_code.in_(["crashed_worker", "timeout"]))
    unfinished = 0
    with engine.connect(configuration.load(home=home)).connect() as connection:
        for status, code, count in connection.execute(rows):
            print(f"{count:7} {status} {code or ''}")
            unfinished += 0 if status in (Status.DONE, Status.FAILED) else count
        for path, code in connection.execute(killers):
            print(f"culprit: {code} {path!r}")
    return unfinished


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    sys.exit(main())
