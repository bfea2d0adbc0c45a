"""The features of a collection in a file of this host, to be searched at once; a cache, never the truth.

The unit vectors lie one behind the other as float16 in memory-mapped files, which grow as photos are
classified. What does not fit the ledger any more is thrown away and made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, func, select

from tagtray.config import atomic
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db import paging
from tagtray.db.access import urls
from tagtray.db.access.transactions import read
from tagtray.db.own_scores import floats
from tagtray.db.tables import Classification, Model
from tagtray.learn import vectors
from tagtray.learn.vectors import Ids, Vectors

#: Vectors of a block: 2 MB as float32, so that the product is made in the processor's cache.
BLOCK = 1_024
#: Threads that search; more than the memory's channels feed gain nothing.
THREADS = 4


class Index:
    """The contents of a ledger that have features of one model: ``ids`` (n,) and their vectors (n, F)."""

    def __init__(self, ids: Ids, halves: NDArray[np.uint16]) -> None:
        self.ids = ids
        self._halves = halves

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self._halves.shape[1])

    def vectors(self, places: NDArray[np.int64] | slice) -> Vectors:
        """(m, F) unit vectors of some places."""
        return floats(self._halves[places])

    def blocks(self, size: int = BLOCK) -> Iterator[slice]:
        """The places of the vectors, block by block."""
        return (slice(start, min(start + size, len(self))) for start in range(0, len(self), size))

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """The contents nearest to a unit vector (F,), with their cosines, the nearest first."""
        if not len(self):
            return []
        cosines = np.empty(len(self), np.float32)
        threads = min(THREADS, len(os.sched_getaffinity(0)))
        share = -(-len(self) // threads)

        def compare(start: int) -> None:
            buffer = np.empty((BLOCK, self.width), np.uint32)
            for at in range(start, min(start + share, len(self)), BLOCK):
                block = self._halves[at : min(at + BLOCK, start + share)]
                # Not matmul: BLAS would share each small product out among threads of its own.
                np.einsum(
                    "nf,f->n", floats(block, buffer[: len(block)]), vector, out=cosines[at : at + len(block)]
                )

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(compare, range(0, len(self), share)))
        limit = min(limit, len(self))
        best = np.argpartition(-cosines, limit - 1)[:limit]
        best = best[np.argsort(-cosines[best], kind="stable")]
        return [(int(self.ids[place]), min(float(cosines[place]), 1.0)) for place in best]


def opened(engine: Engine, settings: Settings, model_id: int) -> Index:
    """The index as the ledger is now; raises InfrastructureError where its files cannot be written."""
    folder = settings.home / "cache"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = _Files(folder, read(engine, lambda connection: _key(connection, model_id)))
        with files.locked():
            return files.renewed(engine, model_id)
    except OSError as error:
        raise InfrastructureError(f"{shown(folder)} cannot be written to: {error.strerror}.") from None


def _key(connection: Connection, model_id: int) -> str:
    """What tells this ledger and model from all others that a host may have had."""
    made = connection.execute(
        select(Model.name, Model.weights_sha256, Model.created_at).where(Model.id == model_id)
    ).one()
    ledger = urls.where(connection.engine.url), connection.get_execution_options().get("tagtray_schema")
    return hashlib.sha256(repr((ledger, model_id, *map(str, made))).encode()).hexdigest()[:16]


class _Files:
    """``ids`` (int64) and ``vectors`` (float16), and what they were made from."""

    def __init__(self, folder: Path, key: str) -> None:
        self._ids = folder / f"features-{key}.ids"
        self._vectors = folder / f"features-{key}.f16"
        self._state = folder / f"features-{key}.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time looks after the files."""
        with open(self._state.with_suffix(".lock"), "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def renewed(self, engine: Engine, model_id: int) -> Index:
        """The index with all that the ledger has; what is new is appended."""
        classified = select(func.count()).where(Classification.model_id == model_id)
        count = read(engine, lambda connection: connection.scalar(classified)) or 0
        index, seen = self._read()
        if seen == count:
            return index
        ids = read(engine, lambda connection: vectors.ids(connection, model_id))
        if not np.isin(index.ids, ids).all():
            self._clear()
            index = _EMPTY
        if len(index):
            missing = np.setdiff1d(ids, index.ids, assume_unique=True)
            width = self._append(_some(engine, model_id, missing)) or index.width
        else:
            width = self._append(vectors.pages(engine, model_id))
        atomic.replace(self._state, json.dumps({"classified": count, "width": width}).encode())
        return self._read()[0]

    def _read(self) -> tuple[Index, int | None]:
        """What the files have, and how many classifications they were made from; None: they have nothing."""
        try:
            state = json.loads(self._state.read_bytes())
            ids = np.fromfile(self._ids, np.int64)
            halves: Any = np.memmap(self._vectors, np.uint16, "r") if len(ids) else np.zeros(0, np.uint16)
            return Index(ids, halves.reshape(len(ids), state["width"])), state["classified"]
        except (OSError, ValueError, KeyError, TypeError):
            # Not made yet, or not to its end.
            self._clear()
            return _EMPTY, None

    def _clear(self) -> None:
        # Removed, not emptied: others may have them mapped.
        for file in (self._state, self._ids, self._vectors):
            file.unlink(missing_ok=True)

    def _append(self, pages: Iterable[tuple[Ids, Vectors]]) -> int:
        """Append vectors; how many numbers one has, 0 where there is none."""
        width = 0
        with open(self._ids, "ab") as ids, open(self._vectors, "ab") as halves:
            for page_ids, page in pages:
                ids.write(page_ids.tobytes())
                halves.write(page.astype(np.float16).tobytes())
                width = page.shape[1]
        return width


_EMPTY = Index(np.zeros(0, np.int64), np.zeros((0, 0), np.uint16))


def _some(engine: Engine, model_id: int, content_ids: Ids) -> Iterator[tuple[Ids, Vectors]]:
    for page in paging.pages(content_ids.tolist(), vectors.PAGE):
        yield read(engine, lambda connection, page=page: vectors.of(connection, model_id, page))  # type: ignore[misc]
