"""Small pictures that all differ, for rounds that are about processes and not about pictures."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

SIZE = (320, 240)


@contextlib.contextmanager
def made_photos(count: int, folder: Path | None = None) -> Iterator[Path]:
    """``folder`` where one is given, else ``count`` made pictures in a folder that goes with the context."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tagtray-chaos-") as made:
        for number in range(count):
            picture = Image.effect_noise(SIZE, 40 + number % 100).convert("RGB")
            picture.save(Path(made) / f"{number:05}.jpg", quality=85)
        yield Path(made)
