"""``tagtray weights evaluate``: how often a model is right on photos whose classes are known."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagtray.app import startup, weights
from tagtray.cli import judged, options, output
from tagtray.cli.output import Format
from tagtray.config.errors import UsageError
from tagtray.weights.model import Model
from tagtray.worker.measure import labelled
from tagtray.worker.measure.labelled import Found
from tagtray.worker.supervision import resources

if TYPE_CHECKING:
    from tagtray.worker.measure.accuracy import Band, Report
    from tagtray.worker.measure.evaluation import Evaluated

_Photos = Annotated[
    Path | None,
    typer.Argument(metavar="[DIR]", help="Photos called n02123045.jpg, or in a folder for each class."),
]
_Named = Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model; without it the current one.")]


def evaluate(
    folder: _Photos = None,
    name: _Named = None,
    from_corrections: Annotated[
        bool,
        typer.Option(
            "--from-corrections", help="Measure the current model against what people said of photos."
        ),
    ] = False,
    engine: options.Engine = None,
    precision: options.Precision = None,
    exact: options.Exact = None,
    json: options.Json = False,
) -> None:
    """Measure on labelled photos how often labels and tags are right, and propose thresholds.

    A threshold is the score from which a tag is shown. Proposed is the least one from which nine of ten tags
    are right: one for all, and those of categories with enough tags to tell.
    """
    if from_corrections and (folder or engine or precision or exact):
        raise UsageError("--from-corrections is about the photos of the ledger; leave all but --json out.")
    if from_corrections:
        judged.report(json)
        return
    if folder is None:
        raise UsageError("Name a folder of labelled photos, or say --from-corrections.")
    settings = startup.load(engine=engine, precision=precision, exact=exact)
    model = weights.chosen(settings, name)
    found = labelled.find(folder, model.labels)
    # Here, not above: numpy and an engine, which no other command of this group needs.
    from tagtray.worker.measure import accuracy, evaluation

    with _bar(len(found.photos)) as tick:
        evaluated = evaluation.run(settings, model, found.photos, resources.available_cpus(), tick)
    report = accuracy.report(model, evaluated.answers)
    if json:
        print(output.json_text(content(model, evaluated, report)))
    else:
        _print(model, evaluated, report)
    _say_left_out(found, evaluated)


def content(model: Model, evaluated: Evaluated, report: Report) -> dict[str, Any]:
    """The whole report as JSON; ``thresholds`` as they stand in a model's description."""
    return {
        "model": model.name,
        "weights_sha256": model.weights.sha256,
        "engine": evaluated.engine,
        "precision": evaluated.precision,
        "photos": report.photos,
        "top1": report.top1 / report.photos,
        "top3": report.top3 / report.photos,
        "taggable": report.taggable,
        "labels": [_facts(band) for band in report.labels],
        "tags": _facts(report.tags),
        "bands": [_facts(band) for band in report.bands],
        "categories": [
            {"wnid": one.wnid, "name": one.name, **_facts(one.now), "proposed": one.proposed}
            for one in report.categories
            if one.now.true or one.now.shown
        ],
        "thresholds": asdict(report.proposed),
    }


def _facts(band: Band) -> dict[str, Any]:
    return {**asdict(band), "precision": band.precision, "recall": band.recall}


def _print(model: Model, evaluated: Evaluated, report: Report) -> None:
    print(f"{model.name}, {evaluated.engine} {evaluated.precision}, {report.photos:,} photos\n")
    output.rows(("", "share", "of"), _summary(report), Format.TABLE)
    print()
    rows = [
        (one.name, now.true, now.shown, now.right, *_rates(now), now.min_score, one.proposed)
        for one, now in ((one, one.now) for one in report.categories)
        if now.true or now.shown
    ]
    columns = ("category", "photos", "shown", "right", "precision", "recall", "threshold", "proposed")
    output.rows(columns, rows, Format.TABLE)
    own = len(report.proposed.categories)
    print(f"\nProposed: {report.proposed.overall} for all categories but {own} with one of their own.")


def _summary(report: Report) -> list[tuple[str, str, str]]:
    """What was measured, in words."""
    tags, photos, all_photos = report.tags, report.photos, f"{report.photos:,} photos"
    return [
        ("the right label is the first one (Top-1)", output.percent(report.top1 / photos), all_photos),
        ("the right label is among the three (Top-3)", output.percent(report.top3 / photos), all_photos),
        *((_from(band), output.percent(band.precision), f"{band.shown:,} photos") for band in report.labels),
        ("a shown tag is right (precision)", output.percent(tags.precision), f"{tags.shown:,} shown tags"),
        ("a true tag is shown (recall)", output.percent(tags.recall), f"{tags.true:,} true tags"),
        ("a photo has a shown tag (coverage)", output.percent(tags.photos / photos), all_photos),
        ("a photo shows what there is a tag for", output.percent(report.taggable / photos), all_photos),
    ]


def _from(band: Band) -> str:
    return f"a first label with a score from {band.min_score} is right"


def _rates(band: Band) -> tuple[str, str]:
    return output.percent(band.precision), output.percent(band.recall)


def _say_left_out(found: Found, evaluated: Evaluated) -> None:
    """Tell of the images that are not in the figures."""
    left_out = {"has no class of this model": found.without_class, "cannot be read": evaluated.unreadable}
    for why, count in left_out.items():
        if count:
            print(f"Images left out because each {why}: {count:,}.", file=sys.stderr)


@contextlib.contextmanager
def _bar(photos: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; it is told how many photos more are done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("photos", total=photos)
        yield lambda done: bar.advance(task, done)
