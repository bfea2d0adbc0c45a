"""For developers: ``python -m tools.terminal PICTURE.png COMMAND...`` draws what a command shows.

The command runs in a pseudo-terminal, so that it prints what people see; rich draws it, Chromium makes the
picture.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

#: Columns of the terminal, and pixels of the picture for each of the SVG's.
COLUMNS, SCALE = 104, 1
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


def shown(command: Sequence[str]) -> str:
    """What a command prints to a terminal, escape sequences included."""
    chunks: list[bytes] = []

    def read(descriptor: int) -> bytes:
        chunks.append(os.read(descriptor, 1 << 16))
        return chunks[-1]

    os.environ["COLUMNS"] = str(COLUMNS)
    pty.spawn(list(command), read)
    return b"".join(chunks).decode().replace("\r\n", "\n")


def drawn(command: Sequence[str], output: str) -> str:
    """An SVG of a terminal in which a command was typed."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(f"[bold]$[/bold] {shlex.join(command)}", highlight=False)
    console.print(Text.from_ansi(output.rstrip()))
    return console.export_svg(title="tagtray")


def photographed(svg: str, target: Path) -> None:
    """Write ``target``, a PNG of an SVG."""
    found = _SIZE.search(svg)
    assert found is not None
    width, height = (round(float(side)) for side in found.groups())
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{svg}</body>", "utf-8")
        options = (f"--window-size={width},{height}", f"--force-device-scale-factor={SCALE}")
        quiet = ("--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu")
        line = ["chromium", *quiet, *options, f"--screenshot={target.resolve()}", page.as_uri()]
        subprocess.run(line, check=True, capture_output=True)


def main(arguments: Sequence[str]) -> int:
    """Draw a command's output."""
    target, *command = arguments
    photographed(drawn(command, shown(command)), Path(target))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
