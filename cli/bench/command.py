"""``tagtray bench``: this machine's throughput, and the settings that are fastest."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from tagtray.app import startup
from tagtray.cli import options, output
from tagtray.cli.bench import plotting, report, whole_run
from tagtray.cli.bench.report import Table
from tagtray.config import isolation, machine
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.worker.measure import throughput
from tagtray.worker.measure.throughput import Row

#: Images per forward pass that are tried unless the user names some: the network takes 8 per thread at once,
#: so that larger batches save little more.
BATCH_SIZES = (8, 16, 32)


def bench(
    engine: options.Engine = None,
    precision: options.Precision = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(metavar="N", min=1, max=1024, help="Images per forward pass; may be repeated."),
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="Keep the recommended settings in TAGTRAY_HOME/machine.json."),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the table.", show_default=False)
    ] = None,
    end_to_end: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Instead: time a run over DIR on a throwaway ledger, and decode and forward alone.",
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure images/s by engine, precision, workers and batch, and recommend the best settings.

    It takes a minute or two on 2 cores; --engine and --precision narrow it.

    Decoding is not in these figures; --end-to-end measures with it.

    int8 changes some answers: only --precision int8 recommends it.

    Options and variables win over what --save keeps.

    To undo --save, delete TAGTRAY_HOME/machine.json.
    """
    if end_to_end is not None:
        if save or plot:
            raise UsageError("--end-to-end measures the current settings; it takes no --save and no --plot.")
        _end_to_end(end_to_end, engine, precision, batch_size, json)
        return
    settings = startup.load(engine=engine or "auto", precision=precision or "auto")
    _measure(settings, sorted(set(batch_size or BATCH_SIZES)), save, plot, json)


def _measure(settings: Settings, batch_sizes: list[int], save: bool, plot: Path | None, json: bool) -> None:
    isolation.keep_in(settings.home)  # before matplotlib is imported
    if plot is not None:
        plotting.check(plot)
    table = report.measure(settings, batch_sizes)
    asked = settings.precision != "auto"
    best = throughput.recommend([r for r in table.rows if asked or r.precision in throughput.UNASKED])
    kept = _keep(settings, best, table) if save else None
    if json:
        print(output.json_text(_content(table, best, kept)))
    else:
        report.write(table, best)
        _print_kept(best, kept)
    if plot is not None:
        plotting.draw(table, plot)


def _keep(settings: Settings, best: Row | None, table: Table) -> Path:
    if best is None:
        raise InfrastructureError("Nothing can be recommended, so nothing is kept.")
    row = asdict(best)
    measured = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tagtray": version("tagtray"),
        "processor": table.processor,
        "cores": table.cores,
        "images_per_second": row["images_per_second"],
    }
    return machine.write(settings.home, {name: row[name] for name in sorted(machine.NAMES)}, measured)


def _print_kept(best: Row | None, kept: Path | None) -> None:
    if kept is None:
        if best is not None:
            print("`tagtray bench --save` measures again and keeps the best.")
        return
    print(f"Kept in {shown(kept)}; delete that file to undo it.")
    for name in sorted(machine.NAMES):
        if (origin := configuration.origin(name)) != machine.FILE:
            print(f"{origin} is set and wins over it.")


def _content(table: Table, best: Row | None, kept: Path | None) -> dict[str, Any]:
    return {
        **asdict(table),
        "recommended": None if best is None else asdict(best),
        "kept_in": None if kept is None else str(kept),
    }


def _end_to_end(
    folder: Path, engine: str | None, precision: str | None, batch_sizes: list[int] | None, json: bool
) -> None:
    if batch_sizes and len(batch_sizes) > 1:
        raise UsageError("--end-to-end measures one batch size; give --batch-size once.")
    one = batch_sizes[0] if batch_sizes else None
    settings = startup.load(engine=engine, precision=precision, batch_size=one)
    found = whole_run.measure(settings, folder)
    if json:
        print(output.json_text(asdict(found)))
    else:
        whole_run.write(found)
