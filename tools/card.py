"""The figures of the model card, written from the manifest: no number is typed twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tagtray.weights.model import Accuracy, Description

#: The part of the card between these lines is written, the rest is prose.
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"


def renew(card: str, models: Sequence[Description]) -> str:
    """The card with the figures of ``models`` between its marks; raises ValueError where it has no marks."""
    before, rest = card.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{chr(10).join(map(figures, models))}{END}{after}"


def figures(model: Description) -> str:
    """What the manifest says of a model, as Markdown tables."""
    tables = [f"### `{model.name}`\n", _facts(model)]
    if accuracy := model.accuracy:
        tables += [_sets(accuracy), _labels(accuracy), _tags(accuracy)]
    return "\n".join(tables)


def _facts(model: Description) -> str:
    rows = [
        ("file", f"`{model.weights.name}`, {model.weights.bytes / 1e6:.1f} MB"),
        ("SHA-256", f"`{model.weights.sha256}`"),
        ("date", model.date.isoformat() if model.date else "not known"),
        ("broader tags are worth showing from a score of", str(model.thresholds.overall)),
    ]
    if calibration := model.calibration:
        rows += [
            ("expected calibration error", str(calibration.error_after)),
            ("the same before calibration", str(calibration.error_before)),
        ]
    return _table(("weights", ""), rows)


def _sets(accuracy: Accuracy) -> str:
    rows = (
        (found.name, str(found.photos), *map(_percent, (found.top1, found.top3, found.top5)))
        for found in accuracy.labelled_sets
    )
    return _table(("labelled photos", "photos", "Top-1", "Top-3", "Top-5"), rows)


def _labels(accuracy: Accuracy) -> str:
    rows = ((str(band.min_score), *map(_percent, (band.right, band.coverage))) for band in accuracy.labels)
    return _table(("best label, where its score is at least", "right", "photos covered"), rows)


def _tags(accuracy: Accuracy) -> str:
    rows = (
        (str(band.min_score), *map(_percent, (band.precision, band.recall, band.photos)))
        for band in accuracy.tags
    )
    return _table(("broader tags of a score of at least", "precision", "recall", "photos with one"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(share: float | None) -> str:
    return "not measured" if share is None else f"{100 * share:.3g} %"
