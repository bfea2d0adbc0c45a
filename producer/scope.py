"""What belongs to a target: one judgement for the scan and for events."""

from __future__ import annotations

import os

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db.roots import Target
from tagtray.imaging import filenames
from tagtray.producer import ignore
from tagtray.producer.notices import shown

Identity = tuple[int, int]


class Scope:
    """A target with its place on this host, and without tagtray's own files."""

    def __init__(self, target: Target, settings: Settings) -> None:
        self.root = target.root
        self.below = target.below
        self.folder = os.path.join(target.root.path, target.below).rstrip(b"/") or b"/"
        self.shown = shown(self.folder)
        #: Device and inode of the folder when it was last scanned or watched; another one is another mount.
        self.known: Identity | None = None
        self._home = self.relative(os.path.realpath(os.fsencode(settings.home)))
        if self._home == self.below:
            raise UsageError(f"{self.shown} is TAGTRAY_HOME itself; keep the photos or the home elsewhere.")

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
        if not path.startswith(self.folder.rstrip(b"/") + b"/"):
            return None
        return path[len(self.root.path.rstrip(b"/")) + 1 :]

    def enters(self, folder: bytes, name: bytes, rules: ignore.Rules | None) -> bool:
        """Whether ``folder``, whose last component is ``name``, is looked into."""
        if filenames.is_ignored_dir(name) or folder == self._home:
            return False
        return rules is None or not rules.ignores(folder, True)

    def rules(self, folder: bytes) -> tuple[bool, ignore.Rules | None]:
        """Whether every folder from the target down to ``folder`` is looked into, and the rules in it."""
        rules = ignore.read_chain(self.root.path, self.below)
        rules = ignore.read(self.root.path, self.below, rules)
        inner = folder[len(self.below) :].strip(b"/")
        at = self.below
        for name in inner.split(b"/") if inner else ():
            at = os.path.join(at, name)
            if not self.enters(at, name, rules):
                return False, None
            rules = ignore.read(self.root.path, at, rules)
        return True, rules

    def admits(self, path: bytes, rules: ignore.Rules | None) -> bool:
        """Whether a file of this name, with the rules of its folder, may be an image."""
        if filenames.classify_name(os.path.basename(path)) is not filenames.Kind.REGISTER:
            return False
        return rules is None or not rules.ignores(path, False)
