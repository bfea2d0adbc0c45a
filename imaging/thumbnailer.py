"""A process that makes thumbnails, and may die over one: ``python -m tagtray.imaging.thumbnailer``.

It reads tasks from standard input, one line of JSON each, and answers on standard output with a line of JSON
that says how many bytes follow, or what is wrong. It ends when its input does.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any, BinaryIO

from tagtray.config.errors import ImageCode, ImageDeferred, ImageError, ImageGone
from tagtray.imaging import thumbnail
from tagtray.imaging.opening import open_image
from tagtray.imaging.thumbnail import Box

#: What is answered for a file that cannot be read just now, or is no longer there.
AWAY, GONE = "away", "gone"
#: What is written first of all.
READY = b"ready\n"
#: Seconds beyond its limit after which a task that hangs ends the process, whoever is left to watch it.
GRACE = 5.0


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints is no answer
    answers.write(READY)
    answers.flush()
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    for line in sys.stdin.buffer:
        _serve(json.loads(line), answers)


def _serve(task: dict[str, Any], answers: BinaryIO) -> None:
    signal.setitimer(signal.ITIMER_REAL, task["seconds"] + GRACE)
    data = b""
    try:
        source = open_image(
            bytes.fromhex(task["root"]), bytes.fromhex(task["path"]), max_bytes=task["max_bytes"]
        )
        data = thumbnail.make(source.data, Box(*task["box"]), task["max_pixels"])
        answer: dict[str, Any] = {"sha256": source.sha256, "bytes": len(data)}
    except ImageError as error:
        answer = {"code": error.code, "message": str(error)}
    except ImageGone as error:
        answer = {"code": GONE, "message": str(error)}
    except ImageDeferred as error:
        answer = {"code": AWAY, "message": str(error)}
    except MemoryError:
        answer = {"code": ImageCode.OUT_OF_MEMORY, "message": "There was not enough memory for the image."}
    signal.setitimer(signal.ITIMER_REAL, 0)
    answers.write(json.dumps(answer).encode() + b"\n" + data)
    answers.flush()


if __name__ == "__main__":
    main()
