"""``tagtray export`` and ``tagtray import`` on both databases: what goes out, comes in and is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from pyarrow import parquet

from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import Done, Failed, NewContent
from tagtray.exchange.importing import Importer
from tagtray.learn import corrections, overview, teaching
from tests import builders, lessons

Command = Callable[..., str]
VECTOR = bytes(range(16))

#: All that a ledger knows of contents, by their hashes.
KNOWN = (
    "SELECT sha256, format, width, height, taken_at, taken_from, camera, color, partial FROM contents",
    "SELECT sha256, m.name, engine, precision, decode, classified_at FROM classifications c "
    "JOIN contents k ON k.id = c.content_id JOIN models m ON m.id = c.model_id",
    "SELECT sha256, rank, class_index, score FROM predictions p JOIN contents k ON k.id = p.content_id",
    "SELECT sha256, wnid, score FROM tags t JOIN contents k ON k.id = t.content_id",
    "SELECT sha256, vector FROM features f JOIN contents k ON k.id = f.content_id",
)

#: What people taught and said.
TAUGHT = (
    "SELECT o.wnid, o.parent_wnid, c.name FROM own_tags o JOIN categories c ON c.wnid = o.wnid",
    "SELECT wnid, positives, negatives, others, weights, bias, precision FROM own_tag_classifiers",
    "SELECT sha256, wnid, verdict, at, said_by FROM verdicts v JOIN contents k ON k.id = v.content_id",
    "SELECT sha256, wnid, score FROM overruled_tags o JOIN contents k ON k.id = o.content_id",
    "SELECT wnid, score FROM thresholds",
)


@pytest.fixture
def photos(ledger: Ledger, host: Settings) -> Path:
    """A dog, twice; an unsure one, a volcano, one that failed and one that is ignored: their folder."""
    root = builders.root(ledger, host)
    ids = builders.running(ledger, root.id, 6)
    dog = NewContent(
        *("JPEG", 640, 480, datetime(2024, 5, 17, 12), "Nikon, Z6"),
        *([(1, 0.7), (2, 0.2), (0, 0.1)], [("c_dog", 0.9), ("c_cat", 0.4)], VECTOR, "exif", "#102030"),
    )
    builders.commit(
        ledger,
        builders.done(ids[0], "dog", dog),
        builders.done(ids[1], "dog", None),
        builders.done(ids[2], "unsure", builders.content(tags=[("c_dog", 0.3)])),
        builders.done(ids[3], "volcano", builders.content([(3, 0.8), (2, 0.1), (0, 0.05)], [])),
        Failed(ids[4], "empty", "The file is empty."),
        builders.done(ids[5], "unwanted", builders.content()),
    )
    ledger.mark_ignored([ids[5]])
    return Path(os.fsdecode(root.path))


@pytest.fixture
def command_on(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[[Settings], Command]:
    """Runs the command line on a ledger: what it prints on standard output, or (err) on standard error."""

    def command(host: Settings) -> Command:
        def run(*arguments: str, code: int = 0, err: bool = False) -> str:
            with monkeypatch.context() as environment:
                for name, value in configuration.environment(host).items():
                    environment.setenv(name, value)
                ended = main.invoke([*arguments])
            captured = capfdbinary.readouterr()
            assert ended == code, captured
            return (captured.err if err else captured.out).decode()

        return run

    return command


@pytest.fixture
def command(host: Settings, command_on: Callable[[Settings], Command]) -> Command:
    """Runs the command line on the ledger."""
    return command_on(host)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger elsewhere that knows the same model."""
    home = tmp_path / "other"
    with builders.ledger(builders.settings_for(home, f"sqlite:///{home}/tagtray.db")) as ledger:
        yield ledger


@pytest.fixture
def elsewhere(other: Ledger, command_on: Callable[[Settings], Command]) -> Command:
    """Runs the command line on that ledger."""
    return command_on(_settings(other))


def test_a_line_of_jsonl_is_a_photo_with_its_results(command: Command, photos: Path) -> None:
    lines = [json.loads(line) for line in command("export", "-").splitlines()]

    assert [line["path"] for line in lines] == ["1.jpg", "0.jpg", "2.jpg", "3.jpg"]
    classified_at = lines[0]["result"].pop("classified_at")
    assert datetime.fromisoformat(classified_at).tzinfo
    assert lines[0] == {
        "tagtray": 1,
        "file": f"{photos}/1.jpg",
        "root": "photos",
        "path": "1.jpg",
        "sha256": builders.sha("dog"),
        "format": "JPEG",
        "width": 640,
        "height": 480,
        "taken_at": "2024-05-17T12:00:00",
        "taken_from": "exif",
        "camera": "Nikon, Z6",
        "color": "#102030",
        "partial": False,
        "result": {
            "model": {"name": "tiny", "weights_sha256": "0" * 64},
            "engine": "torch",
            "precision": "fp32",
            "decode": "draft",
            "labels": [
                {"index": 1, "wnid": "n1", "name": "beagle", "name_zh": "比格犬", "score": 0.7},
                {"index": 2, "wnid": "n2", "name": "pug", "name_zh": "巴哥犬", "score": 0.2},
                {"index": 0, "wnid": "n0", "name": "tabby", "name_zh": "虎斑猫", "score": 0.1},
            ],
            "tags": [
                {"wnid": "c_dog", "name": "dog", "name_zh": "狗", "score": 0.9, "shown": True},
                {"wnid": "c_cat", "name": "cat", "name_zh": "猫", "score": 0.4, "shown": False},
            ],
            "features": None,
        },
        "verdicts": [],
    }


def test_csv_and_parquet_have_the_same_photos(command: Command, photos: Path, tmp_path: Path) -> None:
    # When both are written, by the ending of the file's name
    assert command("export", f"{tmp_path}/a.csv") == f"4 photos in {tmp_path}/a.csv.\n"
    command("export", f"{tmp_path}/a.parquet", "--features")

    # Then programs read the same in them
    (first, *rest) = csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8")))
    table = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert len(rest) + 1 == len(table) == 4
    assert [first["label_1"], first["label_zh_1"], first["score_1"]] == ["beagle", "比格犬", "0.7"]
    assert [first["tags"], first["tags_zh"], first["camera"]] == ["dog", "狗", "Nikon, Z6"]
    assert first["taken_at"] == "2024-05-17T12:00:00" and first["partial"] == "0"
    assert table[0]["labels"][0] == {"name": "beagle", "name_zh": "比格犬", "wnid": "n1", "score": 0.7}
    assert [tag["name"] for tag in table[0]["tags"]] == ["dog"] and table[2]["tags"] == []
    assert table[0]["taken_at"] == datetime(2024, 5, 17, 12) and table[0]["features"] == VECTOR
    assert table[0]["classified_at"].isoformat() == first["classified_at"]
    assert [row["path"] for row in table] == [first["path"], *(row["path"] for row in rest)]


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_parquet_goes_into_a_pipe(command: Command, host: Settings, photos: Path) -> None:
    program = [sys.executable, "-P", "-m", "tagtray", "export", "-", "--format", "parquet"]
    environment = {**os.environ, **configuration.environment(host)}
    data = subprocess.run(program, env=environment, stdout=subprocess.PIPE, check=True).stdout
    assert parquet.read_table(io.BytesIO(data)).num_rows == 4


def test_a_query_is_that_of_find(command: Command, photos: Path) -> None:
    def found(query: str) -> list[str]:
        out = command("export", "-", "--query", query)
        return [json.loads(line)["path"] for line in out.splitlines()]

    assert found("dog") == ["1.jpg", "0.jpg"]
    assert found("火山") == ["3.jpg"]
    assert found("taken:2024-05 -path:1") == ["0.jpg"]
    assert "did you mean dog?" in command("export", "-", "--query", "dgo", code=2, err=True)


def test_results_move_to_another_ledger(
    command: Command, elsewhere: Command, ledger: Ledger, other: Ledger, photos: Path, tmp_path: Path
) -> None:
    # Given an export with feature vectors
    file = str(tmp_path / "a.jsonl")
    command("export", file, "--features")

    # When it is imported elsewhere, twice
    said = [elsewhere("import", file) for _ in range(2)]

    # Then that ledger knows what this one knows, but for what is ignored here
    assert said == [
        "3 results are new, 1 were known; 0 lines have none.\n",
        "0 results are new, 4 were known; 0 lines have none.\n",
    ]
    unwanted = builders.sha("unwanted")
    for query in KNOWN:
        mine = [row for row in builders.query(ledger, query) if row[0] != unwanted]
        assert sorted(map(_plain, builders.query(other, query))) == sorted(map(_plain, mine))
    assert builders.query(other, "SELECT COUNT(*) FROM images") == [(0,)]


def test_a_photo_that_comes_later_is_answered_from_an_import(
    command: Command, elsewhere: Command, other: Ledger, photos: Path, tmp_path: Path
) -> None:
    # Given results without photos
    command("export", f"{tmp_path}/a.jsonl")
    elsewhere("import", f"{tmp_path}/a.jsonl")

    # When a photo with the bytes of one comes, which the ledger says to be classified
    root = builders.root(other, _settings(other))
    (image_id,) = builders.running(other, root.id, 1)
    sha256 = builders.sha("dog")
    assert other.classified([sha256], builders.MODEL_ID) == {sha256}
    builders.commit(other, Done(image_id, sha256, 10, 1, None))

    # Then it has those results
    assert builders.query(other, "SELECT path, label, score FROM top1") == [("0.jpg", "beagle", 0.7)]
    assert builders.query(other, "SELECT category FROM image_tags") == [("dog",)]


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"partial":false', '"partial":fal', "is no line of `tagtray export FILE.jsonl`: it is broken"),
        ('"tagtray":1,', "", "is no line of `tagtray export FILE.jsonl`"),
        ('"tagtray":1', '"tagtray":2', "is of version 2 of the format; this tagtray reads version 1"),
        ('"score":0.8', '"score":NaN', "is broken at result.labels.0.score: input should be a finite"),
        ('"score":0.8', '"score":1.8', "is broken at result.labels.0.score: input should be less"),
        ('"JPEG"', '"JP\\u0000G"', "is broken at format"),
        ('"sha256":"', '"sha256":"x', "is broken at sha256"),
        ('"index":3,"wnid":"n3"', '"index":3,"wnid":"n2"', "has the class 3 as 'volcano', which"),
        ('"index":3', '"index":9', "has the class 9 as 'volcano', which"),
        ('"tags":[]', '"tags":[{"wnid":"c_x","name":"x","name_zh":"","score":1,"shown":true}]', "'c_x'"),
        (
            '"name":"tiny"',
            '"name":"huge"',
            "is of the model huge with the weights 000000000000",
        ),
        ('"camera":null', f'"camera":"{"x" * 2**20}"', "has more than 1,048,576 bytes"),
    ],
)
def test_a_line_that_is_not_right_is_named_and_the_rest_waits(
    command: Command,
    elsewhere: Command,
    other: Ledger,
    photos: Path,
    tmp_path: Path,
    before: str,
    after: str,
    said: str,
) -> None:
    # Given an export whose third line is not right
    lines = command("export", "-").splitlines(keepends=True)
    lines[2:] = reversed(lines[2:])
    file = tmp_path / "a.jsonl"
    file.write_text("".join([*lines[:2], lines[2].replace(before, after, 1), lines[3]]), "utf-8")
    assert before in lines[2]

    # When it is imported
    complaint = elsewhere("import", str(file), code=2, err=True)

    # Then one sentence says so, the lines before it are there, and the others once it is mended
    assert complaint.startswith("tagtray: Line 3 ") and said in complaint and complaint.count("\n") == 1
    assert complaint.endswith("; the lines before it are imported.\n")
    assert builders.query(other, "SELECT sha256 FROM contents") == [(builders.sha("dog"),)]
    file.write_text("".join(lines), "utf-8")
    assert elsewhere("import", str(file)) == "2 results are new, 2 were known; 0 lines have none.\n"


def test_a_photo_without_a_result_of_the_current_model_is_a_line_without_one(
    command: Command, elsewhere: Command, ledger: Ledger, photos: Path, tmp_path: Path
) -> None:
    builders.use_model(ledger, builders.add_model(ledger, "1" * 64))
    command("export", f"{tmp_path}/a.jsonl")
    command("export", f"{tmp_path}/a.csv")
    command("export", f"{tmp_path}/a.parquet")

    said = elsewhere("import", f"{tmp_path}/a.jsonl")
    assert said == "0 results are new, 0 were known; 4 lines have none.\n"
    assert parquet.read_table(f"{tmp_path}/a.parquet").to_pylist()[0]["labels"] == []


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_what_cannot_be_written_or_read_is_one_sentence(
    command: Command, photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("before")

    assert command("export", f"{tmp_path}/a.doc", code=2, err=True) == (
        f"tagtray: {tmp_path}/a.doc ends with no format that is written (.csv, .jsonl, .parquet); "
        "--format says which.\n"
    )
    assert "CSV holds no feature vectors" in command("export", str(file), "--features", code=2, err=True)
    for form in ("csv", "jsonl", "parquet"):
        said = command("export", "/dev/full", "--format", form, code=1, err=True)
        assert said == "tagtray: /dev/full cannot be written: No space left on device.\n"
    assert "cannot be written: No such file" in command("export", "/no/folder/a.csv", code=1, err=True)
    assert "cannot be written: Is a directory" in command(
        "export", str(tmp_path), "--format", "csv", code=1, err=True
    )
    assert "cannot be read: No such file" in command("import", "/no/a.jsonl", code=2, err=True)
    # What was there stays, and no draft is left
    assert file.read_text() == "before" and os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_reader_that_goes_away_is_no_error(host: Settings, photos: Path, form: str) -> None:
    program = [sys.executable, "-P", "-m", "tagtray", "export", "-", "--format", form]
    environment = {**os.environ, **configuration.environment(host)}
    line = f"{' '.join(program)} | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, check=True)
    assert ended.stderr == b""


def _settings(ledger: Ledger) -> Settings:
    file = Path(ledger.engine.url.database or "")
    return builders.settings_for(file.parent, f"sqlite:///{file}")


def _plain(row: tuple[object, ...]) -> tuple[str, ...]:
    """A row as both databases would write it: moments without a zone and without trailing zeros."""
    return tuple(_text(value) for value in row)


def _text(value: object) -> str:
    if isinstance(value, bool | int):
        return str(int(value))
    text = str(value).removesuffix("+00:00")
    return text.rstrip("0").rstrip(".") if ":" in text and "." in text else text


def test_own_tags_and_verdicts_move_with_the_photos(
    ledger: Ledger, host: Settings, command: Command, tmp_path: Path, other: Ledger
) -> None:
    # Given an own tag that was learned, put below a category, and verdicts of all kinds
    root = builders.root(ledger, host)
    photos = lessons.collection(ledger, root.id, {"boat": 60, **lessons.others(200)})
    boats = list(photos.contents["boat"])
    wnid = teaching.say(ledger.engine, "our boat", boats[:10], boats[10:12], "ann", parent="dog")
    assert teaching.learn(ledger.engine, wnid).reason is None
    corrections.correct(ledger.engine, boats[12:14], ["cat"], ["dog"], "ann")

    # When it is exported, and imported twice
    command("export", str(tmp_path / "all.jsonl"))
    for _ in range(2):
        with open(tmp_path / "all.jsonl", "rb") as file:
            importer = Importer(other, lambda model: builders.MODEL_ID)
            importer.read(file)

    # Then the other ledger has the same tags, verdicts and classifier; and what is taken back is the same
    for query in (*KNOWN[3:4], *TAUGHT):
        there, here = builders.query(other, query), builders.query(ledger, query)
        assert sorted(map(_plain, there), key=str) == sorted(map(_plain, here), key=str), query
    assert importer.tally.verdicts == 0
    sha = "SELECT id FROM contents WHERE sha256 = '{}'"
    ((known,),) = builders.query(ledger, f"SELECT sha256 FROM contents WHERE id = {boats[12]}")
    ((there,),) = builders.query(other, sha.format(known))
    corrections.undo(other.engine, there)
    corrections.undo(ledger.engine, boats[12])
    assert sorted(builders.query(other, KNOWN[3])) == sorted(builders.query(ledger, KNOWN[3]))


def test_an_own_tag_of_that_name_takes_in_what_is_imported(
    ledger: Ledger, host: Settings, command: Command, tmp_path: Path, other: Ledger
) -> None:
    root = builders.root(ledger, host)
    photos = lessons.collection(ledger, root.id, {"boat": 6})
    teaching.say(ledger.engine, "our boat", list(photos.contents["boat"]), [], "ann")
    mine = teaching.say(other.engine, "Our-Boat", [], [], "bob")

    command("export", str(tmp_path / "all.jsonl"))
    with open(tmp_path / "all.jsonl", "rb") as file:
        Importer(other, lambda model: builders.MODEL_ID).read(file)

    (facts,) = overview.load(other.engine)
    assert (facts.wnid, facts.name, facts.examples) == (mine, "Our-Boat", 6)
