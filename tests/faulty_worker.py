"""The fork server, with workers in which one function never returns for as long as a file exists.

``FAULTY_FUNCTION`` is the function (``module:name`` or ``module:class.method``), ``FAULTY_WHILE`` the file.
Where that file is not empty, only calls hang that are given bytes with its content.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tagtray.worker import __main__ as server


def _break(function: str, trigger: Path) -> None:
    module, _, path = function.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    def faulty(*arguments: Any, **options: Any) -> Any:
        while _concerns(trigger, arguments):
            time.sleep(0.05)
        return original(*arguments, **options)

    setattr(owner, name, faulty)


def _concerns(trigger: Path, arguments: Sequence[Any]) -> bool:
    try:
        content = trigger.read_bytes()
    except FileNotFoundError:
        return False
    given = [argument for argument in arguments if isinstance(argument, bytes)]
    return not content or any(content in argument for argument in given)


if __name__ == "__main__":
    _break(os.environ["FAULTY_FUNCTION"], Path(os.environ["FAULTY_WHILE"]))
    sys.exit(server.main())
