"""The results of another ledger, from its lines into this one: batch by batch, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO

from tagtray.config.errors import UsageError, WeightsError
from tagtray.db.access import transactions
from tagtray.db.ledger import Ledger
from tagtray.db.records import FoundResult, NewContent, Provenance, SaidElsewhere
from tagtray.db.tables import OWN
from tagtray.exchange import lines, own_tags
from tagtray.exchange.catalogue import Catalogue
from tagtray.exchange.lines import Line, OwnTagLine, Result
from tagtray.exchange.own_tags import FindModel

#: Lines of a transaction.
BATCH = 2_000
#: Bytes of a line at most: an image with a feature vector of 2,048 numbers has some 10,000.
MAX_LINE = 2**20
#: Labels of a content: as many, or all classes of a model that has fewer.
RANKS = 3

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Tally:
    """Results that were new and that were known, images that come without one, and verdicts that were new."""

    new: int = 0
    known: int = 0
    without: int = 0
    verdicts: int = 0


class Importer:
    """Takes lines over into a ledger; what it knows already stays as it is."""

    def __init__(self, ledger: Ledger, find_model: FindModel) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._find_model = find_model
        self._catalogues: dict[tuple[str, str], Catalogue] = {}
        self._batch: dict[tuple[int, str], FoundResult] = {}
        self._said: dict[str, SaidElsewhere] = {}
        self._own: dict[str, str] = {}

    def read(self, file: IO[bytes]) -> None:
        """Take all lines over; raises UsageError at the first one that is not right: those before stand."""
        for number, text in _numbered(file):
            try:
                if len(text) > MAX_LINE:
                    raise UsageError(f"has more than {MAX_LINE:,} bytes, as none of an export has")
                self._take(lines.parse(text))
            except UsageError as error:
                self._flush()
                raise UsageError(f"Line {number:,} {error}; the lines before it are imported.") from None
            if max(len(self._batch), len(self._said)) >= BATCH:
                self._flush()
        self._flush()

    def _take(self, line: Line | OwnTagLine) -> None:
        if isinstance(line, OwnTagLine):
            self._take_own_tag(line.own_tag)
            return
        if line.verdicts:
            self._said[line.sha256] = self._verdicts(line)
        if line.result is None:
            self.tally.without += 1
            return
        catalogue = self._catalogue(line.result.model)
        result = _with_own_tags(line, line.result, catalogue, self._own)
        _check(result, catalogue)
        key = catalogue.model_id, line.sha256
        self.tally.known += key in self._batch
        self._batch[key] = _found(line, result, catalogue.model_id)

    def _take_own_tag(self, tag: lines.OwnTag) -> None:
        self._flush()
        self._own[tag.wnid] = own_tags.take_over(self._ledger.engine, tag, self._find_model)
        self._catalogues.clear()

    def _verdicts(self, line: Line) -> SaidElsewhere:
        said = [
            (self._own.get(verdict.wnid, verdict.wnid), verdict.shows, verdict.at, verdict.said_by)
            for verdict in line.verdicts
        ]
        return SaidElsewhere(_content(line, [], []), said)

    def _flush(self) -> None:
        """Store the batch, a transaction for each model in it."""
        for model_id in {model_id for model_id, _ in self._batch}:
            results = [result for (of, _), result in self._batch.items() if of == model_id]
            new = self._ledger.import_results(model_id, results)
            self.tally.new += new
            self.tally.known += len(results) - new
        self._batch.clear()
        if self._said:
            self.tally.verdicts += self._ledger.import_verdicts(self._said)
        self._said.clear()

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


def _with_own_tags(line: Line, result: Result, catalogue: Catalogue, own: Mapping[str, str]) -> Result:
    """The result with the tags as the model gave them, own ones as they are called here."""
    given = {tag.wnid: tag for tag in result.tags}
    for verdict in line.verdicts:
        given.pop(verdict.wnid, None)
        if verdict.score is not None:
            given[verdict.wnid] = lines.Tag(verdict.wnid, verdict.name, "", verdict.score, shown=False)
    tags = [replace(tag, wnid=own.get(tag.wnid, tag.wnid)) for tag in given.values()]
    # An own tag that this ledger does not know was forgotten here, or its line is not in the file.
    known = [tag for tag in tags if not tag.wnid.startswith(OWN) or tag.wnid in catalogue.categories]
    return replace(result, tags=known)


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
    labels = [(label.index, label.score) for label in result.labels]
    content = _content(line, labels, [(tag.wnid, tag.score) for tag in result.tags], result.features)
    provenance = Provenance(model_id, result.engine, result.precision, result.decode)
    return FoundResult(line.sha256, content, provenance, result.classified_at)


def _content(
    line: Line,
    top: Sequence[tuple[int, float]],
    tags: Sequence[tuple[str, float]],
    features: bytes | None = None,
) -> NewContent:
    return NewContent(
        line.format,
        line.width,
        line.height,
        line.taken_at,
        line.camera,
        top,
        tags,
        features,
        taken_from=line.taken_from,
        color=line.color,
        partial=line.partial,
    )
