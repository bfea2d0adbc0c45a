"""The fork server, with workers in which one function never returns for as long as a file exists.

``FAULTY_FUNCTION`` is the function (``module:name`` or ``module:class.method``), ``FAULTY_WHILE`` the file.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
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
        while trigger.exists():
            time.sleep(0.05)
        return original(*arguments, **options)

    setattr(owner, name, faulty)


if __name__ == "__main__":
    _break(os.environ["FAULTY_FUNCTION"], Path(os.environ["FAULTY_WHILE"]))
    sys.exit(server.main())
