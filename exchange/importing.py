"""The results of another ledger, from its lines into this one: batch by batch, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from tagtray.config.errors import UsageError, WeightsError
from tagtray.db.access import transactions
from tagtray.db.ledger import Ledger
from tagtray.db.records import FoundResult, NewContent, Provenance
from tagtray.exchange import lines
from tagtray.exchange.catalogue import Catalogue
from tagtray.exchange.lines import Line, Result

#: Lines of a transaction.
BATCH = 2_000
#: Bytes of a line at most: an image with a feature vector of 2,048 numbers has some 10,000.
MAX_LINE = 2**20
#: Labels of a content: as many, or all classes of a model that has fewer.
RANKS = 3

_BOM = b"\xef\xbb\xbf"

#: The id of a model that the ledger or this installation has; raises WeightsError.
FindModel = Callable[[lines.Model], int]


@dataclass(slots=True)
class Tally:
    """Results that were new and that were known, and images that come without one."""

    new: int = 0
    known: int = 0
    without: int = 0


class Importer:
    """Takes lines over into a ledger; what it knows already stays as it is."""

    def __init__(self, ledger: Ledger, find_model: FindModel) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._find_model = find_model
        self._catalogues: dict[tuple[str, str], Catalogue] = {}
        self._batch: dict[tuple[int, str], FoundResult] = {}

    def read(self, file: IO[bytes]) -> None:
        """Take all lines over; raises UsageError at the first one that is not right: those before stand."""
        for number, text in _numbered(file):
            try:
                if len(text) > MAX_LINE:
                    raise UsageError(f"has more than {MAX_LINE:,} bytes, as none of an export has")
                self._add(lines.parse(text))
            except UsageError as error:
                self._flush()
                raise UsageError(f"Line {number:,} {error}; the lines before it are imported.") from None
            if len(self._batch) >= BATCH:
                self._flush()
        self._flush()

    def _add(self, line: Line) -> None:
        if line.result is None:
            self.tally.without += 1
            return
        catalogue = self._catalogue(line.result.model)
        _check(line.result, catalogue)
        key = catalogue.model_id, line.sha256
        self.tally.known += key in self._batch
        self._batch[key] = _found(line, line.result, catalogue.model_id)

    def _flush(self) -> None:
        """Store the batch, a transaction for each model in it."""
        for model_id in {model_id for model_id, _ in self._batch}:
            results = [result for (of, _), result in self._batch.items() if of == model_id]
            new = self._ledger.import_results(model_id, results)
            self.tally.new += new
            self.tally.known += len(results) - new
        self._batch.clear()

    def _catalogue(self, model: lines.Model) -> Catalogue:
        key = model.name, model.weights_sha256
        if key not in self._catalogues:
            try:
                model_id = self._find_model(model)
            except WeightsError:
                raise UsageError(
                    f"is of the model {model.name} with the weights {model.weights_sha256[:12]}, which is "
                    "not here: `tagtray weights add` brings it in"
                ) from None
            self._catalogues[key] = transactions.read(
                self._ledger.engine, lambda connection: Catalogue.load(connection, model_id)
            )
        return self._catalogues[key]


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers, and no more of a line than shows its length."""
    number = 0
    while text := file.readline(MAX_LINE + 1):
        number += 1
        text = text.removeprefix(_BOM) if number == 1 else text
        if text.strip():
            yield number, text


def _check(result: Result, catalogue: Catalogue) -> None:
    """Raise UsageError unless the model's classes and categories are the ones that the line names."""
    if len(result.labels) != min(RANKS, len(catalogue.labels)):
        raise UsageError(f"is broken: it has {len(result.labels)} labels")
    for label in result.labels:
        names = catalogue.labels.get(label.index)
        if names is None or names.wnid != label.wnid:
            raise UsageError(
                f"has the class {label.index} as {label.name!r}, which the model {result.model.name} "
                "does not have here"
            )
    wnids = {tag.wnid for tag in result.tags}
    if len(wnids) != len(result.tags):
        raise UsageError("is broken: it has a tag twice")
    if unknown := wnids - catalogue.categories.keys():
        raise UsageError(f"has the category {min(unknown)!r}, which this version of tagtray does not know")


def _found(line: Line, result: Result, model_id: int) -> FoundResult:
    content = NewContent(
        line.format,
        line.width,
        line.height,
        line.taken_at,
        line.camera,
        [(label.index, label.score) for label in result.labels],
        [(tag.wnid, tag.score) for tag in result.tags],
        result.features,
        taken_from=line.taken_from,
        color=line.color,
        partial=line.partial,
    )
    provenance = Provenance(model_id, result.engine, result.precision, result.decode)
    return FoundResult(line.sha256, content, provenance, result.classified_at)
