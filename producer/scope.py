"""The folders that are watched, and what in them may be an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.paths import is_below
from tagtray.db.places.roots import Target
from tagtray.imaging import filenames
from tagtray.imaging.filenames import Kind
from tagtray.producer import ignore

#: A file with which a folder keeps itself and what lies in it out of galleries (Android).
NO_MEDIA = b".nomedia"

Identity = tuple[int, int]


class Scope:
    """A target with its place on this host, and without tagtray's own files.

    With ``only`` it is no more of the target than the files of these names (relative to the root).
    """

    def __init__(self, target: Target, settings: Settings, only: frozenset[bytes] | None = None) -> None:
        self.only = only
        self.root = target.root
        self.below = target.below
        self.folder = os.path.join(target.root.path, target.below).rstrip(b"/") or b"/"
        self.shown = shown(self.folder)
        #: Identity of the folder when it was last scanned or watched; another one is another mount.
        self.known: Identity | None = None
        refuse_home(settings, self.folder)
        self._home = self.relative(os.path.realpath(os.fsencode(settings.home)))

    def covers(self, path: bytes) -> bool:
        """Whether a file of the target belongs to the scope."""
        return self.only is None or path in self.only

    def identity(self) -> Identity | None:
        """Device and inode of the folder; None if it is not there or no folder."""
        try:
            info = os.stat(os.path.join(self.folder, b""))
        except OSError:
            return None
        return info.st_dev, info.st_ino

    def is_same(self) -> bool:
        """Whether the folder is still the one that was scanned: not unmounted, not replaced."""
        return self.known is not None and self.identity() == self.known

    def relative(self, path: bytes) -> bytes | None:
        """The name below the root of the absolute ``path``; None outside of the target."""
        if path == self.folder:
            return self.below
        if not is_below(path, self.folder):
            return None
        return path[len(self.root.path.rstrip(b"/")) + 1 :]

    def enters(self, folder: bytes, rules: ignore.Rules | None) -> bool:
        """Whether ``folder`` is looked into; ``rules`` are those of the folder that it lies in."""
        if filenames.is_ignored_dir(os.path.basename(folder)) or folder == self._home:
            return False
        ignored = rules.verdict(folder, True) if rules else None
        return not (self.is_cache(folder) if ignored is None else ignored)

    def is_cache(self, folder: bytes) -> bool:
        """Whether ``folder`` holds another program's copies, or says that it is not for galleries."""
        return filenames.is_cache(folder) or os.path.lexists(os.path.join(self.root.path, folder, NO_MEDIA))

    def admits(self, path: bytes, found: tuple[bool, ignore.Rules | None]) -> bool:
        """Whether a file of this name is registered, given what ``rules`` found of its folder."""
        enters, rules = found
        return enters and self.kind(path, rules) is Kind.REGISTER

    def rules(self, folder: bytes) -> tuple[bool, ignore.Rules | None]:
        """Whether every folder from the target down to ``folder`` is looked into, and the rules in it."""
        rules = ignore.read_chain(self.root.path, self.below)
        rules = ignore.read(self.root.path, self.below, rules)
        inner = folder[len(self.below) :].strip(b"/")
        at = self.below
        for name in inner.split(b"/") if inner else ():
            at = os.path.join(at, name)
            if not self.enters(at, rules):
                return False, None
            rules = ignore.read(self.root.path, at, rules)
        return True, rules

    def kind(self, path: bytes, rules: ignore.Rules | None) -> Kind:
        """What to do with a file, by its name and the rules of its folder; for scans and events alike."""
        if not self.covers(path):
            return Kind.IGNORE
        kind = filenames.classify_name(os.path.basename(path))
        if kind is Kind.REGISTER and rules is not None and rules.verdict(path, False):
            return Kind.IGNORE
        return kind


def refuse_home(settings: Settings, folder: bytes) -> None:
    """Raise UsageError where ``folder`` is tagtray's own."""
    if os.path.realpath(folder) == os.path.realpath(os.fsencode(settings.home)):
        sentence = "is TAGTRAY_HOME itself; keep the photos or the home elsewhere."
        raise UsageError(f"{shown(folder)} {sentence}")


def check(folder: Path) -> None:
    """Raise UsageError, with one sentence, unless ``folder`` is a folder that can be listed."""
    name = shown(folder) if str(folder).strip() else repr(str(folder))
    try:
        with os.scandir(folder):
            return
    except FileNotFoundError:
        raise UsageError(f"{name} does not exist.") from None
    except NotADirectoryError:
        raise UsageError(f"{name} is a file; name the folder that holds it.") from None
    except PermissionError:
        raise UsageError(f"{name} may not be read by this user.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name} cannot be read: {reason}.") from None


def outermost(targets: Sequence[Target]) -> list[Target]:
    """``targets`` without repetitions and without those that lie in another one."""
    chosen: list[Target] = []
    for target in sorted(targets, key=lambda target: len(target.below)):
        if not any(_holds(other, target) for other in chosen):
            chosen.append(target)
    return chosen


def _holds(outer: Target, inner: Target) -> bool:
    if outer.root.id != inner.root.id:
        return False
    return not outer.below or inner.below == outer.below or is_below(inner.below, outer.below)
