"""``tagtray tag`` on both databases: sidecars and albums, what is theirs and what is of others."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.learn import teaching
from tests import builders
from tests.acceptance.world import without_privileges
from tests.unit.test_exchange_xmp import FOREIGN

Command = Callable[..., str]


@pytest.fixture
def folder(ledger: Ledger, host: Settings) -> Path:
    """A root with a dog and an unsure dog (0.jpg, 1.jpg), a volcano and an odd name (2.jpg, 3.jpg): files."""
    root = builders.root(ledger, host)
    ids = builders.running(ledger, root.id, 4)
    builders.commit(
        ledger,
        builders.done(ids[0], "a", builders.content()),
        builders.done(ids[1], "b", builders.content([(1, 0.4), (2, 0.2), (0, 0.1)])),
        builders.done(ids[2], "c", builders.content([(3, 0.8), (2, 0.1), (0, 0.05)], [])),
        builders.done(ids[3], "d", builders.content([(3, 0.3), (2, 0.1), (0, 0.05)], [])),
    )
    photos = Path(os.fsdecode(root.path))
    for number in range(4):
        (photos / f"{number}.jpg").write_bytes(builders.jpeg(number))
    return photos


@pytest.fixture
def command(host: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``tagtray tag`` on the ledger: what it prints, or (code not 0) what it says on standard error."""
    for name, value in configuration.environment(host).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, code: int = 0) -> str:
        ended = main.invoke(["tag", *arguments])
        captured = capsys.readouterr()
        assert ended == code, captured
        return captured.err if code else captured.out

    return run


def _subjects(file: Path) -> list[str]:
    """What digiKam, Lightroom and all others show: ``dc:subject``."""
    found = etree.fromstring(file.read_bytes()).iterfind(
        ".//{http://purl.org/dc/elements/1.1/}subject//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
    )
    return [str(item.text) for item in found]


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_a_photo_gets_its_keywords_beside_it(command: Command, folder: Path, ledger: Ledger) -> None:
    photos = {path: path.read_bytes() for path in folder.iterdir()}

    assert command("--xmp") == "3 files changed, 1 unchanged, 0 refused.\n"

    assert _subjects(folder / "0.jpg.xmp") == ["dog", "beagle"]
    assert _subjects(folder / "1.jpg.xmp") == ["dog"]
    assert _subjects(folder / "2.jpg.xmp") == ["volcano"]
    assert not (folder / "3.jpg.xmp").exists()
    assert {path: path.read_bytes() for path in photos} == photos
    assert builders.query(ledger, "SELECT COUNT(*) FROM sidecars") == [(3,)]
    # Once more, nothing changes
    assert command("--xmp").startswith("0 files changed, 4 unchanged")


def test_the_hierarchy_is_as_lightroom_and_digikam_read_it(command: Command, folder: Path) -> None:
    command("--xmp", "path:0")
    packet = etree.fromstring((folder / "0.jpg.xmp").read_bytes())
    names = {
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "digiKam": "http://www.digikam.org/ns/1.0/",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    }
    lightroom = packet.xpath("//lr:hierarchicalSubject/rdf:Bag/rdf:li/text()", namespaces=names)
    digikam = packet.xpath("//digiKam:TagsList/rdf:Seq/rdf:li/text()", namespaces=names)
    assert (lightroom, digikam) == (["dog|beagle"], ["dog/beagle"])


def test_exiftool_reads_what_was_written_beside_what_was_there(command: Command, folder: Path) -> None:
    # Given a photo without a sidecar, and one with five keywords of another program
    (folder / "2.jpg.xmp").write_bytes(FOREIGN.encode())
    theirs = _read_by_exiftool(folder / "2.jpg.xmp")
    # When both are tagged, then exiftool finds every level, and the foreign keywords
    command("--xmp")
    assert _read_by_exiftool(folder / "0.jpg.xmp") == {
        "Subject": ["dog", "beagle"],
        "HierarchicalSubject": ["dog|beagle"],
        "TagsList": ["dog/beagle"],
    }
    tagged = _read_by_exiftool(folder / "2.jpg.xmp")
    assert tagged["Subject"] == [*theirs["Subject"], "volcano"] and len(theirs["Subject"]) == 5
    # And after undo it is as if nothing had been
    command("--xmp", "--undo")
    assert _read_by_exiftool(folder / "2.jpg.xmp") == theirs


def _read_by_exiftool(file: Path) -> dict[str, list[str]]:
    """The keywords as exiftool (Debian's libimage-exiftool-perl) lists them."""
    names = ("Subject", "HierarchicalSubject", "TagsList")
    line = ["exiftool", "-json", *(f"-XMP:{name}" for name in names), str(file)]
    ended = subprocess.run(line, capture_output=True, check=True)
    (found,) = json.loads(ended.stdout)
    lists = {name: found[name] for name in names if name in found}
    return {name: value if isinstance(value, list) else [value] for name, value in lists.items()}


def test_a_query_chooses_and_a_dry_run_changes_nothing(
    command: Command, folder: Path, ledger: Ledger
) -> None:
    said = command("--xmp", "--dry-run", "dog -path:1")

    assert said == (f"{folder}/0.jpg.xmp  dog, beagle\n1 file would change, 0 unchanged, 0 refused.\n")
    assert _names(folder) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert builders.query(ledger, "SELECT COUNT(*) FROM sidecars") == [(0,)]


def test_undo_gives_every_sidecar_back_as_it_was(command: Command, folder: Path, ledger: Ledger) -> None:
    # Given one of another program with five keywords, in UTF-16, and photos without any
    before = FOREIGN.replace("UTF-8", "UTF-16").encode("utf-16")
    (folder / "0.jpg.xmp").write_bytes(before)
    command("--xmp")
    assert _subjects(folder / "0.jpg.xmp") == ["Rex", "dog", "Müller & Söhne", "Urlaub", "2024", "beagle"]

    # When another model finds something else, it is tagged again, and that is undone
    builders.execute(ledger, "UPDATE predictions SET class_index = 0 WHERE rank = 1 AND score = 0.7")
    command("--xmp")
    tagged = _subjects(folder / "0.jpg.xmp")
    would = command("--xmp", "--undo", "--dry-run")
    assert command("--xmp", "--undo").startswith("3 files changed")

    # Then only ours were replaced, and all is as before, byte by byte
    assert tagged == ["Rex", "dog", "Müller & Söhne", "Urlaub", "2024", "tabby"]
    assert f"{folder}/0.jpg.xmp  as it was\n" in would
    assert (folder / "0.jpg.xmp").read_bytes() == before
    assert _names(folder) == ["0.jpg", "0.jpg.xmp", "1.jpg", "2.jpg", "3.jpg"]
    assert builders.query(ledger, "SELECT COUNT(*) FROM sidecars") == [(0,)]
    assert command("--xmp", "--undo").startswith("0 files changed")


def test_a_query_chooses_what_is_undone(command: Command, folder: Path) -> None:
    command("--xmp")
    tagged = [name for name in _names(folder) if name.endswith(".xmp")]

    assert command("--xmp", "--undo", "dog -path:1").startswith("1 file changed")

    assert [name for name in _names(folder) if name.endswith(".xmp")] == [n for n in tagged if n[0] != "0"]


def test_what_others_edit_in_between_stays(command: Command, folder: Path, ledger: Ledger) -> None:
    # Given a sidecar of ours in which somebody wrote a keyword and a rating
    command("--xmp")
    file = folder / "0.jpg.xmp"
    text = file.read_text("utf-8").replace("<rdf:li>dog", "<rdf:li>Rex</rdf:li>\n<rdf:li>dog", 1)
    file.write_text(text.replace('rdf:about=""', 'rdf:about="" xmlns:xmp="x" xmp:Rating="5"', 1), "utf-8")

    # When it is tagged again and undone
    command("--xmp")
    tagged = _subjects(file)
    command("--xmp", "--undo")

    # Then theirs are there all the time
    assert sorted(tagged) == ["Rex", "beagle", "dog"]
    assert _subjects(file) == ["Rex"] and 'xmp:Rating="5"' in file.read_text("utf-8")


def test_a_photo_that_was_moved_with_its_sidecar_keeps_no_old_keywords(
    command: Command, folder: Path, ledger: Ledger, host: Settings
) -> None:
    # Given a tagged photo that was moved, and is another image of the same content now
    command("--xmp", "path:0")
    (folder / "away").mkdir()
    for name in ("0.jpg", "0.jpg.xmp"):
        (folder / name).rename(folder / "away" / name)
    ((old, content),) = builders.query(ledger, "SELECT id, content_id FROM images WHERE path = '0.jpg'")
    new = ledger.register(builders.root(ledger, host).id, [builders.seen("away/0.jpg")]).ids[b"away/0.jpg"]
    ledger.mark_missing([old])
    builders.execute(ledger, f"UPDATE images SET status = 'done', content_id = {content} WHERE id = {new}")

    # When another model sees something else in it
    builders.execute(ledger, "UPDATE predictions SET class_index = 0 WHERE rank = 1 AND score = 0.7")
    command("--xmp")

    # Then the former keywords are known for ours
    assert _subjects(folder / "away/0.jpg.xmp") == ["dog", "tabby"]
    command("--xmp", "--undo")
    assert not (folder / "away/0.jpg.xmp").exists()


def test_what_cannot_be_changed_is_said_and_stays_and_the_rest_goes_on(
    command: Command, folder: Path, ledger: Ledger
) -> None:
    # Given a broken sidecar, one that is read-only and one that is a link
    (folder / "0.jpg.xmp").write_bytes(FOREIGN.encode()[:730])
    (folder / "1.jpg.xmp").write_bytes(FOREIGN.encode())
    (folder / "1.jpg.xmp").chmod(0o444)
    (folder / "theirs").write_bytes(FOREIGN.encode())
    (folder / "2.jpg.xmp").symlink_to("theirs")
    builders.execute(ledger, "UPDATE predictions SET score = 0.9 WHERE score = 0.3")

    # When all are tagged
    said = command("--xmp", code=1).splitlines()

    # Then there is a sentence for each, nothing of them has changed, and the fourth has its keywords
    assert sorted(said) == [
        f"{folder}/0.jpg.xmp is broken XML (Premature end of data in tag xmpmeta line 2).",
        f"{folder}/1.jpg.xmp is read-only.",
        f"{folder}/2.jpg.xmp is a link, which is left alone.",
    ]
    assert (folder / "0.jpg.xmp").read_bytes() == FOREIGN.encode()[:730]
    assert (folder / "1.jpg.xmp").read_bytes() == (folder / "theirs").read_bytes() == FOREIGN.encode()
    assert (folder / "2.jpg.xmp").is_symlink()
    assert _subjects(folder / "3.jpg.xmp") == ["volcano"]
    assert builders.query(ledger, "SELECT COUNT(*) FROM sidecars") == [(1,)]


def test_a_link_out_of_the_root_is_not_followed(
    command: Command, folder: Path, ledger: Ledger, host: Settings, tmp_path: Path
) -> None:
    (tmp_path / "0.jpg").write_bytes(builders.jpeg())
    (folder / "out").symlink_to(tmp_path)
    builders.execute(ledger, "UPDATE images SET path = 'out/0.jpg' WHERE path = '0.jpg'")
    assert "0.jpg.xmp lies behind a link that leads out of its root." in command("--xmp", code=1)
    assert os.listdir(tmp_path) == ["0.jpg"]


def test_photos_that_are_gone_are_left_out(command: Command, folder: Path) -> None:
    (folder / "0.jpg").unlink()
    assert command("--xmp").endswith("0 refused, 1 of photos that are not there.\n")


def test_a_kill_between_the_note_and_the_file_loses_nothing(
    command: Command, folder: Path, ledger: Ledger
) -> None:
    # Given a tagged sidecar, and a note of the next one that was never written
    before = FOREIGN.encode()
    (folder / "0.jpg.xmp").write_bytes(before)
    command("--xmp", "path:0")
    builders.execute(ledger, f"UPDATE sidecars SET former_sha256 = sha256, sha256 = '{'0' * 64}'")

    # When it is undone
    command("--xmp", "--undo")

    # Then it is as it was
    assert (folder / "0.jpg.xmp").read_bytes() == before


@pytest.mark.parametrize("kind", ["symbolic", "hard", "copy"])
def test_an_album_has_a_folder_for_each_category(
    command: Command, folder: Path, ledger: Ledger, tmp_path: Path, kind: str
) -> None:
    # Given two photos of the same name that show a dog
    (folder / "more").mkdir()
    (folder / "1.jpg").rename(folder / "more/0.jpg")
    builders.execute(ledger, "UPDATE images SET path = 'more/0.jpg' WHERE path = '1.jpg'")
    photos = {path: path.read_bytes() for path in folder.rglob("*.jpg")}
    album = tmp_path / "album"

    # When an album is made, twice
    said = [command("--album", str(album), "--link", kind) for _ in range(2)]

    # Then each is there once, and nothing when that is undone
    assert said[0].startswith("2 files changed") and said[1].startswith("0 files changed, 2 unchanged")
    assert _names(album) == [".tagtrayignore", "dog/0 (2).jpg", "dog/0.jpg"]
    assert {path.read_bytes() for path in (album / "dog").iterdir()} == {
        photos[folder / "0.jpg"],
        photos[folder / "more/0.jpg"],
    }
    assert (album / "dog/0.jpg").is_symlink() == (kind == "symbolic")
    assert (album / "dog/0.jpg").samefile(folder / "0.jpg") == (kind != "copy") or kind != "copy"
    assert command("--album", str(album), "--undo").startswith("2 files changed")
    assert not album.exists() and {path: path.read_bytes() for path in photos} == photos


def test_an_album_follows_what_is_found(
    command: Command, folder: Path, ledger: Ledger, tmp_path: Path
) -> None:
    command("--album", f"{tmp_path}/a")
    builders.execute(ledger, "UPDATE tags SET wnid = 'c_cat' WHERE content_id IN "
                     "(SELECT content_id FROM images WHERE path = '0.jpg')")  # fmt: skip
    command("--album", f"{tmp_path}/a")
    assert _names(tmp_path / "a") == [".tagtrayignore", "cat/0.jpg", "dog/1.jpg"]


def test_undo_removes_no_file_of_others_and_no_last_copy(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    # Given albums in which somebody put a file, and of a photo that is gone
    album = tmp_path / "album"
    command("--album", str(album), "--link", "hard")
    (album / "dog/mine.txt").write_text("mine")
    kept = (folder / "0.jpg").read_bytes()
    (folder / "0.jpg").unlink()

    # When they are undone
    said = command("--album", str(album), "--undo", code=1)

    # Then these stay
    assert said == f"{album}/dog/0.jpg stays: the photo itself is gone.\n"
    assert _names(album) == [".tagtrayignore", "dog/0.jpg", "dog/mine.txt"]
    assert (album / "dog/0.jpg").read_bytes() == kept


def test_a_folder_with_other_files_becomes_no_album(command: Command, folder: Path) -> None:
    assert command("--album", str(folder), code=2) == (
        f"tagtray: {folder} has files that are none of an album; choose an empty folder.\n"
    )
    assert "Say either --xmp or --album DIR" in command(code=2)
    assert "undone as a whole" in command("--album", "a", "--undo", "dog", code=2)
    assert command("--album", f"{folder}/0.jpg/x", code=1) == (
        f"tagtray: {folder}/0.jpg/x cannot be written: Not a directory.\n"
    )


def test_a_dry_run_makes_no_album(command: Command, folder: Path, tmp_path: Path) -> None:
    said = command("--album", f"{tmp_path}/a", "--dry-run")
    assert f"{tmp_path}/a/dog/0.jpg  link to {folder}/0.jpg\n" in said
    assert os.listdir(tmp_path) == []


def test_a_link_that_leads_elsewhere_is_made_again(command: Command, folder: Path, tmp_path: Path) -> None:
    command("--album", f"{tmp_path}/a", "path:0")
    (tmp_path / "a/dog/0.jpg").unlink()
    (tmp_path / "a/dog/0.jpg").symlink_to("/gone/0.jpg")
    command("--album", f"{tmp_path}/a", "path:0")
    assert (tmp_path / "a/dog/0.jpg").samefile(folder / "0.jpg")


def test_an_album_without_photos_is_one_all_the_same(command: Command, folder: Path, tmp_path: Path) -> None:
    assert command("--album", f"{tmp_path}/a", "path:2").startswith("0 files changed")
    assert command("--album", f"{tmp_path}/a").startswith("2 files changed")


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)  # nobody else may ask the server
def test_a_folder_that_may_not_be_written_is_said(host: Settings, folder: Path) -> None:
    environment = {**os.environ, **configuration.environment(host)}
    folder.chmod(0o555)
    ended = subprocess.run(
        [*subprocesses.command("tagtray"), "tag", "--xmp", "dog"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=without_privileges,
    )
    folder.chmod(0o755)
    assert ended.returncode == 1 and ended.stdout == "0 files changed, 0 unchanged, 2 refused.\n"
    assert sorted(ended.stderr.splitlines()) == [
        f"{folder}/{number}.jpg.xmp cannot be written: Permission denied." for number in (0, 1)
    ]


def test_an_own_tag_is_a_keyword_and_an_album_like_any_other(
    command: Command, folder: Path, ledger: Ledger, tmp_path: Path
) -> None:
    (content_id,) = builders.query(ledger, "SELECT content_id FROM images WHERE path = '0.jpg'")[0]
    teaching.say(ledger.engine, "our Bello", [content_id], [], "ann", parent="dog")

    command("--xmp", "path:0")
    command("--album", str(tmp_path / "album"))

    assert _subjects(folder / "0.jpg.xmp") == ["dog", "our Bello", "beagle"]
    assert (tmp_path / "album" / "our Bello" / "0.jpg").resolve() == folder / "0.jpg"
