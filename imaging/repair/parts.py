"""What every repair gives, and which formats have one."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Parts:
    """A file of the pixels alone, and what Pillow's ``info`` would hold of the rest (``exif``, ``xmp``)."""

    data: bytes
    info: dict[str, bytes] = field(default_factory=dict)
