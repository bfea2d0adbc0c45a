"""How one process of tagtray starts another."""

from __future__ import annotations

import sys


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs ``module`` with ``arguments`` in this interpreter.

    ``-P``: without it Python would look for modules in the current folder first, which is the user's and may
    hold a ``redis.py`` or a ``numpy.py``.
    """
    return [sys.executable, "-P", "-m", module, *arguments]
