"""``.tagtrayignore``: gitignore patterns, in any folder, for everything below it (gitignore(5))."""

from __future__ import annotations

import codecs
import logging
import math
import os
import stat
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from tagtray.config import logs
from tagtray.config.logs import Throttle
from tagtray.config.text import shown

NAME = b".tagtrayignore"

#: Bytes of such a file that are read.
MAX_BYTES = 65_536
#: Wildcards in one component of a pattern, and ``**`` in one pattern: more would let a pattern that was
#: written to do so stall the regular expressions they become.
MAX_WILDCARDS = 3

_WARNED = Throttle(math.inf)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns of a folder, and those of the folders it lies in."""

    base: bytes
    spec: GitIgnoreSpec
    outer: Rules | None

    def verdict(self, path: bytes, is_folder: bool) -> bool | None:
        """Whether ``path`` (relative to the root) is ignored, by the last pattern that matches it.

        Those of inner folders come first; None where none matches.
        """
        rules: Rules | None = self
        while rules is not None:
            name = path[len(rules.base) :].decode("utf-8", "surrogateescape") + "/" * is_folder
            include = rules.spec.check_file(name).include
            if include is not None:
                return include
            rules = rules.outer
        return None


def read(root: bytes, folder: bytes, outer: Rules | None) -> Rules | None:
    """The rules in ``folder`` of ``root`` within those of ``outer``; ``outer`` itself if it adds none."""
    path = os.path.join(root, folder, NAME)
    lines = _lines(path)
    patterns = [line for line in lines if _is_pattern(line)]
    if len(patterns) < len(lines):
        _warn(path, lines)
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
        return _text(os.read(descriptor, MAX_BYTES)).splitlines()
    except OSError:
        return []
    finally:
        os.close(descriptor)


def _text(data: bytes) -> str:
    """As editors write it: UTF-8, with a mark or without, or UTF-16 with one; names may be of any bytes."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _warn(path: bytes, lines: list[str]) -> None:
    """Name the first line that is no pattern, once for each state of the file."""
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#") and not _is_pattern(line):
            if _WARNED.is_due((path, tuple(lines))):
                sentence = "{file}, line {line}: {pattern} is no pattern that is understood; it is left out."
                file, pattern = shown(path), shown(line)
                logs.event(
                    log,
                    logging.WARNING,
                    "ignore_pattern_skipped",
                    sentence,
                    file=file,
                    line=number,
                    pattern=pattern,
                )
            return


def _is_pattern(line: str) -> bool:
    parts = line.split("/")
    if parts.count("**") > MAX_WILDCARDS or any(part.count("*") > MAX_WILDCARDS for part in parts):
        return False
    try:
        return any(pattern.include is not None for pattern in GitIgnoreSpec.from_lines([line]).patterns)
    except ValueError:
        return False
