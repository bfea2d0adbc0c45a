"""Work of many requests done together: what came in while the last batch was worked on is the next one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from anyio import to_thread

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """``work`` is called in a thread with up to ``size`` items, and gives a result for each of them.

    Under load one transaction serves many requests; a single request waits for nobody.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], size: int = 64) -> None:
        self._work = work
        self._size = size
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """The result for an item; raises what ``work`` raised for its batch."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._go())
        return await future

    async def drain(self) -> None:
        """Return when nothing waits any more."""
        while self._worker is not None:
            with contextlib.suppress(Exception):
                await self._worker

    async def _go(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
                await self._do(batch)
        finally:
            self._worker = None

    async def _do(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await to_thread.run_sync(self._work, [item for item, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
