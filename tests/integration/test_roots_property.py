"""Whatever becomes of folders and roots: each file has one row, and no content is classified twice."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db import paths
from tagtray.db.ledger import Ledger
from tagtray.db.places import merging, roots
from tagtray.db.records import Done, Failed, Outcome
from tagtray.db.tables import Content, Image, Status
from tagtray.producer.producer import Producer
from tests import builders
from tests.producing import JPEG

#: Sequences in a test run; ``TEST_SEQUENCES`` of them in a longer night.
SEQUENCES = int(os.environ.get("TEST_SEQUENCES", "8"))
STEPS = 14


class World:
    """A library on one of two disks, links to it, and a ledger whose worker keeps count."""

    def __init__(self, base: Path, ledger: Ledger, settings: Settings, seed: int) -> None:
        self.random = random.Random(seed)
        self.base, self.ledger, self.settings = base, ledger, settings
        self.disk = 0
        self.numbers = iter(range(10_000))
        self.forward = Counter[str]()
        for disk in range(2):
            (base / f"disk{disk}").mkdir()
        for folder in ("", "a", "a/b", "c"):
            (self.library / folder).mkdir(parents=True)
            # A folder that is suddenly empty is taken for a disk that is not mounted.
            (self.library / folder / "notes.txt").touch()
            self.add(self.library / folder)
        (base / "sibling").mkdir()
        self.add(base / "sibling")
        (base / "link").symlink_to(self.library)

    @property
    def library(self) -> Path:
        return self.base / f"disk{self.disk}" / "library"

    def add(self, folder: Path) -> None:
        number = next(self.numbers)
        path = folder / f"{number}.jpg"
        path.write_bytes(JPEG[:-2] + b"x" * (number % 7) + b"%d" % (number % 5) + JPEG[-2:])
        os.utime(path, (1_600_000_000 + number,) * 2)

    def files(self) -> list[Path]:
        return sorted(self.library.rglob("*.jpg"))

    def step(self) -> None:
        actions = [self.run] * 5 + [
            self.some_add,
            self.delete,
            self.rename,
            self.move,
            self.ignore,
            self.limit,
            self.drop,
        ]
        self.random.choice(actions)()

    def run(self) -> None:
        inside = ["", "a", "a/b", "c", "../library/a/"]
        places = [*(self.library / name for name in inside), self.base / "sibling", self.base / "link"]
        self.classify(self.random.choice(places))

    def classify(self, folder: Path) -> None:
        if folder.is_dir():
            target = roots.resolve(self.ledger.engine, self.settings, folder)
            Producer(self.settings, self.ledger, lambda: None, [target]).scan()
            self.work()

    def work(self) -> None:
        """A worker that reads, hashes and knows what the ledger knows."""
        where = roots.everywhere(self.ledger.engine, self.settings)
        ids = [image.id for image in self.ledger.take_pending(1_000)]
        outcomes: list[Outcome] = []
        batch: set[str] = set()
        for image in self.ledger.claim(ids, "w", 60.0, 1):
            path = os.path.join(where[image.root_id].path, image.path)
            data = Path(os.fsdecode(path)).read_bytes()
            if len(data) > self.settings.max_bytes:
                outcomes.append(Failed(image.id, "too_large", "It is."))
                continue
            sha256, info = hashlib.sha256(data).hexdigest(), os.stat(path)
            is_new = sha256 not in batch and not self.ledger.classified([sha256], 1)
            self.forward[sha256] += is_new
            batch.add(sha256)
            new = builders.content() if is_new else None
            outcomes.append(Done(image.id, sha256, info.st_size, info.st_mtime_ns, new))
        builders.commit(self.ledger, *outcomes)

    def some_add(self) -> None:
        self.add(self.random.choice([self.library, self.library / "a", self.library / "c"]))

    def delete(self) -> None:
        if len(self.files()) > 4:
            self.random.choice(self.files()).unlink()

    def rename(self) -> None:
        path = self.random.choice(self.files())
        path.rename(path.with_name(f"r{next(self.numbers)}.jpg"))

    def move(self) -> None:
        for root in roots.everywhere(self.ledger.engine, self.settings).values():
            self.classify(Path(os.fsdecode(root.path)))
        old = self.library
        self.disk = 1 - self.disk
        shutil.move(old, self.library)
        (self.base / "link").unlink()
        (self.base / "link").symlink_to(self.library)
        self.classify(self.library)

    def ignore(self) -> None:
        file = self.library / ".tagtrayignore"
        if file.exists():
            file.unlink()
        else:
            file.write_text(self.random.choice(["c/\n", "a/\n", "*1.jpg\n"]))

    def limit(self) -> None:
        sizes = [len(JPEG) + extra for extra in (3, 5)]
        self.settings = self.settings.model_copy(update={"max_bytes": self.random.choice([*sizes, 10**6])})

    def drop(self) -> None:
        known = list(roots.everywhere(self.ledger.engine, self.settings).values())
        if known:
            merging.remove(self.ledger.engine, self.random.choice(known).id, forget=False)

    def rows(self) -> Counter[tuple[str, str]]:
        """Path on the disk and hash of every image that the views show."""
        where = roots.everywhere(self.ledger.engine, self.settings)
        query = select(Image.root_id, Image.path, Image.path_raw, Content.sha256)
        query = query.join(Content, Content.id == Image.content_id).where(Image.status == Status.DONE)
        with self.ledger.engine.connect() as connection:
            found = connection.execute(query).all()
        return Counter(
            (os.fsdecode(os.path.join(where[r.root_id].path, paths.to_bytes(r.path, r.path_raw))), r.sha256)
            for r in found
        )


@pytest.fixture
def base() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tagtray-roots-")).resolve()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_each_file_has_one_row_and_each_content_one_forward_pass(
    base: Path, ledger: Ledger, host: Settings, seed: int
) -> None:
    # Given any sequence of runs, moves, renames, deletions, ignore lines and removed roots
    quick = {"stable": 0.01, "settle": 0.01}
    world = World(base, ledger, host.model_copy(update=quick), seed)
    for _ in range(STEPS):
        world.step()
    # When everything that the ledger watches is looked at once more
    known = [root.path for root in roots.everywhere(ledger.engine, host).values()]
    for path in known:
        world.classify(Path(os.fsdecode(path)))
    # Then the rows are those of a ledger that never saw anything else
    fresh_settings = configuration.load(home=base / "home", **quick, max_bytes=world.settings.max_bytes)
    with builders.ledger(fresh_settings) as fresh:
        world.ledger, world.settings, before, rows = fresh, fresh_settings, world.forward, world.rows()
        world.forward = Counter()
        for path in known:
            world.classify(Path(os.fsdecode(path)))
        assert rows == world.rows()
    assert max(rows.values(), default=1) == 1
    assert max(before.values(), default=1) == 1
