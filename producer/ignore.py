"""``.tagtrayignore``: gitignore patterns, in any folder, for what lies below it (gitignore(5))."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

NAME = b".tagtrayignore"

#: Bytes of such a file that are read.
MAX_BYTES = 65_536
#: Wildcards in one component of a pattern, and ``**`` in one pattern: more would let a pattern that was
#: written to do so stall the regular expressions they become.
MAX_WILDCARDS = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns of a folder, and those of the folders it lies in."""

    base: bytes
    spec: GitIgnoreSpec
    outer: Rules | None

    def ignores(self, path: bytes, is_folder: bool) -> bool:
        """Whether the last pattern that matches ``path`` (relative to the root) says so; innermost first."""
        rules: Rules | None = self
        while rules is not None:
            name = path[len(rules.base) :].decode("utf-8", "surrogateescape") + "/" * is_folder
            include = rules.spec.check_file(name).include
            if include is not None:
                return include
            rules = rules.outer
        return False


def read(root: bytes, folder: bytes, outer: Rules | None) -> Rules | None:
    """The rules in ``folder`` of ``root``, given those outside; ``outer`` where it has none of its own."""
    lines = _lines(os.path.join(root, folder, NAME))
    patterns = [line for line in lines if _is_pattern(line)]
    base = folder + b"/" if folder else b""
    return Rules(base, GitIgnoreSpec.from_lines(patterns), outer) if patterns else outer


def read_chain(root: bytes, folder: bytes) -> Rules | None:
    """The rules that hold in ``folder``, read from the root down to the folder that it lies in."""
    rules = None
    if folder:
        parts = folder.split(b"/")
        for depth in range(len(parts)):
            rules = read(root, b"/".join(parts[:depth]), rules)
    return rules


def _lines(path: bytes) -> list[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return []
        return os.read(descriptor, MAX_BYTES).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    finally:
        os.close(descriptor)


def _is_pattern(line: str) -> bool:
    parts = line.split("/")
    if parts.count("**") > MAX_WILDCARDS or any(part.count("*") > MAX_WILDCARDS for part in parts):
        return False
    try:
        return any(pattern.include is not None for pattern in GitIgnoreSpec.from_lines([line]).patterns)
    except ValueError:
        return False
