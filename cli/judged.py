"""``tagtray weights evaluate --from-corrections``: how right the current model is by what people said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tagtray.app import bootstrap, startup
from tagtray.cli import output
from tagtray.cli.output import Format
from tagtray.db import current_model
from tagtray.db.current_model import CurrentModel
from tagtray.learn import evaluation
from tagtray.learn.evaluation import Judged


def report(json: bool) -> None:
    """Print it; raises InfrastructureError."""
    with bootstrap.reading(startup.load()) as database:
        model = current_model.current(database)
        judged = evaluation.from_corrections(database, model.id)
    total = evaluation.total(judged)
    if json:
        print(output.json_text(_content(model, judged, total)))
    elif judged:
        _print(model, judged, total)
    else:
        print(f"Nobody has judged a category of {model.name} yet.")


def _content(model: CurrentModel, judged: Sequence[Judged], total: Judged) -> dict[str, Any]:
    categories = [{"wnid": one.wnid, "name": one.name, **_facts(one)} for one in judged]
    known = {"model": model.name, "weights_sha256": model.weights_sha256}
    return {**known, "tags": _facts(total), "categories": categories}


def _facts(judged: Judged) -> dict[str, Any]:
    counts = {name: count for name, count in asdict(judged).items() if name not in ("wnid", "name")}
    return {**counts, "shown": judged.shown, "precision": judged.precision, "recall": judged.recall}


def _print(model: CurrentModel, judged: Sequence[Judged], total: Judged) -> None:
    print(f"{model.name}, {total.judged:,} verdicts\n")
    summary = [
        ("a shown tag is right (precision)", output.percent(total.precision), f"{total.shown:,} shown tags"),
        ("a true tag is shown (recall)", output.percent(total.recall), f"{total.confirmed:,} true tags"),
    ]
    output.rows(("", "share", "of"), summary, Format.TABLE)
    print()
    rows = [
        (
            one.name,
            one.judged,
            one.confirmed,
            one.shown,
            one.found,
            output.percent(one.precision),
            output.percent(one.recall),
        )
        for one in judged
    ]
    columns = ("category", "judged", "photos", "shown", "right", "precision", "recall")
    output.rows(columns, rows, Format.TABLE)
    print("\nPeople say what is wrong rather than what is right: of all photos more is right than of these.")
