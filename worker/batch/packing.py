"""How claimed images are packed: suspects alone, the others in batches, read in groups of bounded bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tagtray.db.records import ClaimedImage

#: Bytes of files that are read before their hashes are looked up together: a few camera JPEGs.
READ_AHEAD = 16 * 2**20


def batches(images: Sequence[ClaimedImage], size: int) -> Iterator[Sequence[ClaimedImage]]:
    """Batches of at most ``size``; an image with attempts is a suspect and comes last, by itself."""
    innocent = [image for image in images if not image.attempts]
    for start in range(0, len(innocent), size):
        yield innocent[start : start + size]
    for image in images:
        if image.attempts:
            yield [image]


def groups(images: Sequence[ClaimedImage], limit: int = READ_AHEAD) -> Iterator[Sequence[ClaimedImage]]:
    """Consecutive groups of together at most ``limit`` bytes; a larger image is a group of its own."""
    group: list[ClaimedImage] = []
    held = 0
    for image in images:
        if group and held + image.size_bytes > limit:
            yield group
            group, held = [], 0
        group.append(image)
        held += image.size_bytes
    if group:
        yield group
