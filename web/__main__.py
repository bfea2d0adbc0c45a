"""The web application beside a run: ``python -m tagtray.web SOCKET``, with the settings in the environment.

It serves on a socket that it inherits, until its standard input ends: that is when who started it does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

from tagtray.app import bootstrap, startup
from tagtray.config.errors import TagtrayError
from tagtray.web import application, server


def main() -> int:
    """Serve; the exit status."""
    settings = startup.load()
    startup.name_process("web")
    _end_with_the_input()
    bound = socket.socket(fileno=int(sys.argv[1]))
    try:
        with bound, bootstrap.writing(settings) as database:
            server.serve(application.create(settings, database), bound)
    except TagtrayError as error:
        print(f"tagtray: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _end_with_the_input() -> None:
    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
