"""The figures of the model card, written from the manifest: no number is typed twice."""

from __future__ import annotations

from collections.abc import Iterable

from tagtray.weights.manifest import Accuracy, ModelEntry

#: The part of the card between these lines is written, the rest is prose.
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"


def renew(card: str, entry: ModelEntry) -> str:
    """The card with the figures of ``entry`` between its marks; raises ValueError where it has no marks."""
    before, rest = card.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{figures(entry)}{END}{after}"


def figures(entry: ModelEntry) -> str:
    """What the manifest says of a model, as Markdown tables."""
    accuracy = entry.accuracy
    return "\n".join((_facts(entry), _sets(accuracy), _labels(accuracy), _tags(accuracy)))


def _facts(entry: ModelEntry) -> str:
    rows = [
        ("file", f"`{entry.weights.name}`, {entry.weights.bytes / 1e6:.1f} MB"),
        ("SHA-256", f"`{entry.weights.sha256}`"),
        ("date", entry.date.isoformat()),
        ("expected calibration error", str(entry.calibration.error_after)),
        ("the same before calibration", str(entry.calibration.error_before)),
        ("broader tags are worth showing from a score of", str(entry.thresholds["tag"])),
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
