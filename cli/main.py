"""The command ``tagtray``: its commands, and how errors end it."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from tagtray.cli import streams
from tagtray.cli.lazy import LazyGroup
from tagtray.cli.signals import INTERRUPTED, AtOnce, Terminated, end_on_sigterm
from tagtray.config.errors import TagtrayError, UsageError
from tagtray.config.text import one_line

#: Every command: its module in this package, and its line in the help; a test compares it with the docstring.
COMMANDS = {
    "run": ("run", "Classify all images in folders: ends when they are finished, unless --watch."),
    "scan": ("scan", "Register the images of folders and queue them; ends when all are queued."),
    "watch": ("scan", "Register and queue the images of folders and what arrives there, until Ctrl-C."),
    "work": ("work", "Run workers that classify what others have queued, until Ctrl-C."),
    "serve": ("serve", "Serve the web pages and the HTTP API, until Ctrl-C."),
    "show": ("show", "Show one image: its state, Top-3 and tags, or why it failed."),
    "find": (
        "find",
        'Find photos: dog, "golden retriever", cat|dog, dog -beagle, taken:2024-05.., camera:x, score>0.8.',
    ),
    "export": (
        "export",
        "Write photos with their results to a file: CSV, JSONL (which `tagtray import` reads) or Parquet.",
    ),
    "import": ("importing", "Take over the results that another ledger has exported as JSONL, by SHA-256."),
    "tag": (
        "tag",
        "Put categories into photo programs: --xmp writes keywords beside photos, --album folders of links.",
    ),
    "teach": (
        "teach",
        "Teach a tag of your own from a few photos; it is found on all others.",
    ),
    "correct": ("correct", 'Say what a photo shows and what not: +dog -wolf +"our boat".'),
    "similar": ("similar", "Find the photos that look most like one."),
    "duplicates": ("duplicates", "List copies of photos, and which one to keep; nothing is deleted."),
    "sql": ("sql", "Query the database, read-only: the views are results, top1, image_tags and failures."),
    "datasette": (
        "datasette",
        "Browse the ledger with Datasette: views, facets and canned queries, read-only.",
    ),
    "stats": (
        "stats",
        "Count photos by category and month, the scores of their labels, and the failures.",
    ),
    "status": ("status", "Show the ledger's states, the queue, the workers and the speed; starts nothing."),
    "doctor": (
        "doctor",
        "Look for what is wrong with this machine, its folders and both stores; exit code 1 if anything is.",
    ),
    "pause": ("pause", "Classify no more images of some roots until they are resumed; new ones wait."),
    "resume": ("pause", "Go on with roots that were paused."),
    "failures": ("failures", "List the images that could not be classified, and why."),
    "audit": ("audit", "List the photos that were uploaded: when, by whom, what came of them."),
    "retry": ("failures", "Try failed images again: all, those of a code, or those of a path."),
    "bench": (
        "bench.command",
        "Measure images/s by engine, precision, workers and batch, and recommend the best settings.",
    ),
    "config": ("config", "List every setting with its value, its origin and what it does."),
    "weights": ("weights", "The models: list, use, add, fetch, evaluate, verify, trace, export."),
    "roots": ("roots", "List the watched folders, or move, rename, merge or remove one."),
    "db": ("database", "The database: upgrade, check, vacuum, back up."),
}

#: New objects after which Python looks for garbage. By default 700: among the modules that a command imports
#: it finds none, and takes an eighth of the start.
GARBAGE = 50_000


class Commands(LazyGroup):
    """``tagtray`` itself."""

    table = COMMANDS


app = typer.Typer(
    name="tagtray",
    cls=Commands,
    help="Classifies the images of folders and keeps the answers in SQL, offline.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        # Here, not above: it takes a tenth of the time of --help.
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
    """Run the command line and exit at once: Python's own shutdown takes a fifth of a second."""
    gc.set_threshold(GARBAGE)
    streams.open_closed()
    end_on_sigterm()
    code = invoke(sys.argv[1:])
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def invoke(arguments: list[str]) -> int:
    """Run a command; its exit code: 0 ok or SIGTERM, 1 infrastructure or weights, 2 usage, 130 Ctrl-C."""
    try:
        _refuse_empty(arguments)
        code = app(arguments, prog_name="tagtray", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except TagtrayError as error:
        return _report(str(error), error.exit_code)
    except TyperException as error:
        return _misused(error, arguments)
    except (KeyboardInterrupt, typer.Abort, AtOnce):
        return INTERRUPTED
    except Terminated:
        return 0
    except OSError as error:
        return _unwritten(error)
    except SystemExit as end:
        if isinstance(end.__context__, OSError):  # so Typer answers to a reader that goes away
            return _unwritten(end.__context__)
        raise
    except Exception as error:
        return _unexpected(error)


def _refuse_empty(arguments: list[str]) -> None:
    """Raise UsageError for an argument that is empty: as a path it would be the current folder."""
    for argument in arguments:
        if not argument or (argument.startswith("--") and argument.endswith("=")):
            raise UsageError(f"{argument!r} is no folder and no value; is a variable of the shell not set?")


def _misused(error: TyperException, arguments: list[str]) -> int:
    """Report a wrong command line in one line; in none where help was shown for lack of arguments."""
    message = error.format_message().replace("Value error, ", "").partition(", unable to ")[0]
    context = getattr(error, "ctx", None)
    known = [word for word in arguments[:1] if word in COMMANDS]
    command = context.command_path if context else " ".join(["tagtray", *known])
    if message.endswith("?"):  # it names what was probably meant
        return _report(message, 2)
    return _report(f"{message.rstrip('.')}; `{command} --help` says more.", 2) if message else 2


def _report(sentence: str, code: int) -> int:
    streams.say(f"tagtray: {one_line(sentence)}")
    return code


def _unwritten(error: OSError) -> int:
    """The exit code where the output takes no more: a reader that goes away has what it wanted."""
    if streams.has_no_reader(error):
        streams.close_output()
        return 0
    if streams.is_full(error):
        streams.close_output()
        return _report(f"The output cannot be written: {error.strerror}.", 1)
    return _unexpected(error)


def _unexpected(error: Exception) -> int:
    if os.environ.get("TAGTRAY_LOG_LEVEL") == "DEBUG":
        logging.basicConfig()
        logging.error("unexpected_error", exc_info=error)
    name = type(error).__name__
    return _report(f"An unexpected error: {name}: {error}; TAGTRAY_LOG_LEVEL=DEBUG shows where.", 1)
