"""A batch: images on their way from the ledger and back, and the slots that they are decoded into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagtray.db.records import ClaimedImage, Done, NewContent, Outcome, stored_ns
from tagtray.imaging.decode import ImageInfo
from tagtray.imaging.opening import Source


@dataclass(frozen=True, slots=True)
class CommittedBatch:
    """What hooks are told: the images, how they ended, how many were in the forward pass.

    ``seconds`` are those of each phase (``supervision.progress``) since the batch before.
    """

    images: Sequence[ClaimedImage]
    outcomes: Sequence[Outcome]
    forward: int
    seconds: Mapping[str, float]


#: Called after each commit. What it raises is logged and changes nothing.
Hook = Callable[[CommittedBatch], None]


@dataclass(frozen=True, slots=True)
class _ReadImage:
    """An image whose bytes were read: what becomes of it depends on its content."""

    id: int
    sha256: str
    size_bytes: int
    mtime_ns: int


class Batch:
    """Claimed images, and ``slots`` ((B, side, side, 3) uint8), which are the batch's own until its commit.

    Images with the same bytes share one decode and one slot.
    """

    def __init__(self, images: Sequence[ClaimedImage], slots: NDArray[np.uint8]) -> None:
        self.images = images
        #: What was decoded into the slots, in their order.
        self.infos: list[ImageInfo] = []
        self._slots = slots
        self._slot_numbers: dict[str, int] = {}
        self._read: list[_ReadImage] = []
        self._ended: list[Outcome] = []

    @property
    def free_slot(self) -> NDArray[np.uint8]:
        """(side, side, 3) uint8: where the next image is decoded to; it stays free until ``fill_slot``."""
        slot: NDArray[np.uint8] = self._slots[len(self.infos)]
        return slot

    @property
    def suspect(self) -> int:
        """Id of the image to blame for a death in the forward pass: one that is alone in it; else 0."""
        return self.images[0].id if len(self.images) == 1 else 0

    def holds(self, sha256: str) -> bool:
        """Whether this content is in a slot already."""
        return sha256 in self._slot_numbers

    def fill_slot(self, sha256: str, info: ImageInfo) -> None:
        """The free slot holds this content now."""
        self._slot_numbers[sha256] = len(self.infos)
        self.infos.append(info)

    def add(self, image: ClaimedImage, source: Source) -> None:
        """The image has a content that is in a slot, or that the ledger knows."""
        mtime = stored_ns(source.mtime_ns)
        self._read.append(_ReadImage(image.id, source.sha256, source.size_bytes, mtime))

    def end(self, outcome: Outcome) -> None:
        """An image ended without a content."""
        self._ended.append(outcome)

    def outcomes(self, contents: Sequence[NewContent]) -> list[Outcome]:
        """How every image ended; ``contents`` are those of the slots."""
        found = {sha256: contents[number] for sha256, number in self._slot_numbers.items()}
        done = [Done(r.id, r.sha256, r.size_bytes, r.mtime_ns, found.get(r.sha256)) for r in self._read]
        return [*self._ended, *done]
