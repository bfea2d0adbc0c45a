"""What the producer counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Totals:
    """Files by outcome.

    ``new``, ``changed`` and ``missing`` count from the start of the producer; the rest describes the scan
    that runs or ran last.
    """

    seen: int = 0  #: files whose names may be images
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    missing: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  #: by group: text, video, audio, archive, sidecar
    ignored: int = 0  #: hidden, temporary, ``.tagtrayignore``, no regular file
    links: int = 0  #: that lead out of the root, to a folder or to a file whose name may be an image's
    caches: int = 0  #: folders in which other programs keep copies
    unreadable: int = 0  #: folders that could not be listed

    def begin_scan(self) -> None:
        """Reset the counts of the last scan."""
        self.seen = self.unchanged = self.ignored = self.links = self.caches = self.unreadable = 0
        self.skipped = Counter()

    @classmethod
    def of(cls, parts: list[Totals]) -> Totals:
        """The sum of ``parts``."""
        total = cls()
        for part in parts:
            for name in (counter.name for counter in fields(cls) if counter.type == "int"):
                setattr(total, name, getattr(total, name) + getattr(part, name))
            total.skipped.update(part.skipped)
        return total
