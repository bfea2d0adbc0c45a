"""The command ``tagtray``: its commands, and how errors end it."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from tagtray.cli import config, database, failures, roots, run, scan, show, sql, status, weights, work
from tagtray.cli.bench import command
from tagtray.cli.signals import INTERRUPTED, AtOnce
from tagtray.config.errors import TagtrayError
from tagtray.config.text import one_line

app = typer.Typer(
    name="tagtray",
    help="Classifies the images of folders and keeps the answers in SQL, offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run.run)
app.command()(scan.scan)
app.command()(scan.watch)
app.command()(work.work)
app.command()(show.show)
app.command()(sql.sql)
app.command()(status.status)
app.command()(failures.failures)
app.command()(failures.retry)
app.command()(command.bench)
app.command()(config.config)
app.add_typer(weights.app, name="weights")
app.add_typer(database.app, name="db")
app.add_typer(roots.app, name="roots")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"tagtray {version('tagtray')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit, at once: Python would take a fifth of a second to take itself down."""
    code = invoke(sys.argv[1:])
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def invoke(arguments: list[str]) -> int:
    """Run a command; its exit code: 0 ok, 1 infrastructure or weights, 2 usage, 130 Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = app(arguments, prog_name="tagtray", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except TagtrayError as error:
        return _say(str(error), error.exit_code)
    except TyperException as error:
        return _misused(error)
    except (KeyboardInterrupt, typer.Abort, AtOnce):
        return INTERRUPTED
    except OSError as error:
        if error.errno == errno.EPIPE:
            return _quiet()
        return _unexpected(error)
    except Exception as error:
        return _unexpected(error)


def _misused(error: TyperException) -> int:
    """One line for a wrong command line; none where the help was asked for by giving nothing."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "tagtray"
    return _say(f"{message.rstrip('.')}; `{command} --help` says more.", 2) if message else 2


def _say(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(f"tagtray: {one_line(sentence)}", file=sys.stderr)
    return code


def _quiet() -> int:
    """The reader of a pipe had enough: no more is written, not even by the interpreter's last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _unexpected(error: Exception) -> int:
    if os.environ.get("TAGTRAY_LOG_LEVEL") == "DEBUG":
        logging.basicConfig()
        logging.error("unexpected_error", exc_info=error)
    name = type(error).__name__
    return _say(f"tagtray met an unexpected error: {name}: {error}; TAGTRAY_LOG_LEVEL=DEBUG shows where.", 1)
