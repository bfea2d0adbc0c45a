"""The folders that the user names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tagtray.config.errors import UsageError
from tagtray.db.roots import Target
from tagtray.producer.notices import shown


def check(folder: Path) -> None:
    """Raise UsageError, with one sentence, unless ``folder`` is a folder that can be listed."""
    name = shown(os.fsencode(folder))
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
    return not outer.below or (inner.below + b"/").startswith(outer.below + b"/")
