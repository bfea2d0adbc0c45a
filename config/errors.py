"""Every error that tagtray raises on purpose.

TagtrayError              one clear sentence; ``exit_code`` is what the command ends with
├── UsageError            2  settings, options or paths that the user has to correct
├── InfrastructureError   1  database, Redis or file system is not as it must be
│   ├── EngineError       1  an engine cannot be used on this machine
│   ├── Refused           1  a store refuses for good: nobody waits for that to pass
│   └── Locked            1  another program holds the database: it passes by itself
├── WeightsError          1  a weights, label or cache file is missing or not what its hash says
├── ModelChanged          -  another model is current: the worker ends, and one follows that loads it
├── RootGone              -  a root left the ledger: its folder belongs to another one now, or to none
├── ImageError            -  one image cannot be classified: ``code`` is stable, the message a sentence
├── ImageGone             -  the file is no longer there: its row becomes ``missing``
├── ImageDeferred         -  not now: the image stays in the ledger and is tried again later
│   └── MountFault        -  the root, or the file system that a file lies on, cannot be read
└── JobRefused            -  a job in the queue is none of ours: it is dropped, counted and logged
"""

from __future__ import annotations

from enum import StrEnum


class TagtrayError(Exception):
    """Base of all; the message is a sentence for the user."""

    exit_code = 1


class UsageError(TagtrayError):
    """The command line, a setting or a path has to be corrected by the user."""

    exit_code = 2


class InfrastructureError(TagtrayError):
    """A store or the machine fails; images are left to be tried again."""


class EngineError(InfrastructureError):
    """An engine cannot be loaded here, or computes something else than the weights say."""


class Refused(InfrastructureError):
    """A store refuses what is asked of it, and would do so again: the command ends."""


class Locked(InfrastructureError):
    """Another program holds the database: it is waited for, also by a command that has just begun."""


class WeightsError(TagtrayError):
    """A file of the model is missing or damaged."""


class ModelChanged(TagtrayError):
    """A worker's model is no longer the current one: it has to be replaced by a worker that loads that."""


class RootGone(TagtrayError):
    """The root of a file is not in the ledger any more: it is part of another one, or was removed."""


class ImageCode(StrEnum):
    """Stable codes of ``images.error_code``; documented in docs/reference/errors.md."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED = "unsupported"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    UNREADABLE = "unreadable"
    OUTSIDE_ROOT = "outside_root"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    CRASHED_WORKER = "crashed_worker"


class ImageError(TagtrayError):
    """One image is bad: it becomes a ``failed`` row and never stops its neighbours."""

    def __init__(self, code: ImageCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class ImageGone(TagtrayError):
    """The file is no longer there: the row becomes ``missing`` and keeps its results."""


class ImageDeferred(TagtrayError):
    """The file changes or its mount fails just now: the row goes back to ``pending`` for ``seconds``."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class MountFault(ImageDeferred):
    """The fault is the root's or the mount's and none of the image's."""


class JobRefused(TagtrayError):
    """The job is none of ours; the message says in a few words why."""
