"""``python -m benchmarks.accuracy FOLDER``: what ``tagtray weights evaluate`` says of every model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import report
from tagtray.config import subprocesses
from tagtray.weights.store import ModelStore

#: What computes: the answers of every other engine are these, or nearly.
HOW = ("--engine", "onnx", "--precision", "fp32")


def main(folder: Path) -> None:
    """Evaluate every model on the labelled photos below ``folder``."""
    figures = {model.name: _evaluated(model.name, folder) for model in ModelStore().models()}
    report.write("accuracy", {"figures": figures})


def _evaluated(name: str, folder: Path) -> Any:
    command = subprocesses.command("tagtray", "weights", "evaluate", str(folder), name, "--json", *HOW)
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
