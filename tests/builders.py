"""Small ledgers, rows, outcomes and pictures, as many tests need them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image as Picture
from sqlalchemy import Engine, RowMapping, select, text

from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db import current_model, migrate
from tagtray.db.access import engine as engines
from tagtray.db.current_model import ModelRows
from tagtray.db.labels import LabelRows
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.records import Done, NewContent, Outcome, Provenance, SeenFile
from tagtray.db.tables import Image

_CLASSES = [
    ("tabby", "虎斑猫", "moggy"),
    ("beagle", "比格犬", ""),
    ("pug", "巴哥犬", "mops"),
    ("volcano", "火山", ""),
]
LABELS = [
    {
        "label_set": "few",
        "class_index": index,
        "wnid": f"n{index}",
        "name": name,
        "name_zh": zh,
        "aliases": more,
    }
    for index, (name, zh, more) in enumerate(_CLASSES)
]
CATEGORIES: list[dict[str, Any]] = [
    {"wnid": wnid, "name": name, "name_zh": name_zh, "aliases": aliases, "icon": icon}
    | {"curated": True, "everyday": True}
    for wnid, name, name_zh, aliases, icon in [
        ("c_cat", "cat", "猫", "", "🐱"),
        ("c_dog", "dog", "狗", "hound", "🐶"),
    ]
]
CLOSURE = [
    {"class_wnid": "n0", "category_wnid": "c_cat"},
    {"class_wnid": "n1", "category_wnid": "c_dog"},
    {"class_wnid": "n2", "category_wnid": "c_dog"},
]
#: Of the tags that are stored, those of at least this score show in the view.
TAG_THRESHOLD = 0.5
MODEL = {
    "name": "tiny",
    "label_set": "few",
    "weights_sha256": "0" * 64,
    "architecture": "resnet18",
    "input": {"side": 224},
}
MODEL_ROWS = ModelRows(MODEL, LabelRows("few", LABELS, CATEGORIES, CLOSURE), {"": TAG_THRESHOLD})
#: Its id in a fresh ledger.
MODEL_ID = 1
PROVENANCE = Provenance(model_id=MODEL_ID, engine="torch", precision="fp32", decode="draft")


def sync(engine: Engine) -> None:
    """Bring in the small model above."""
    current_model.bring_in(engine, MODEL_ROWS)


def add_model(ledger: Ledger, weights_sha256: str) -> int:
    """Have the ledger know other weights under the name of its model; the id of that row."""
    columns = "name, label_set, architecture, input, created_at"
    execute(
        ledger,
        f"INSERT INTO models (id, weights_sha256, is_current, {columns}) "
        f"SELECT id + 1, '{weights_sha256}', false, {columns} FROM models WHERE id = {MODEL_ID}",
    )
    return MODEL_ID + 1


def use_model(ledger: Ledger, model_id: int) -> None:
    """Make a model the current one."""
    execute(ledger, f"UPDATE models SET is_current = (id = {model_id})")


@contextlib.contextmanager
def ledger(settings: Settings) -> Iterator[Ledger]:
    """A ledger on a fresh database with the small model; its connections are closed at the end."""
    engine = engines.connect(settings)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        Path(engine.url.database or "").write_bytes(_sqlite_file())
    try:
        _prepare(engine)
        yield Ledger(engine)
    finally:
        engine.dispose()


@functools.cache
def _sqlite_file() -> bytes:
    """What ``ledger`` makes: a copy of it takes a twentieth of the time."""
    with tempfile.TemporaryDirectory() as home:
        engine = engines.connect(configuration.load(home=Path(home)))
        _prepare(engine)
        engine.dispose()
        return Path(engine.url.database or "").read_bytes()


def _prepare(engine: Engine) -> None:
    migrate.upgrade(engine)
    sync(engine)


def settings_for(home: Path, url: str, **options: Any) -> Settings:
    """Settings of a ledger at ``url``."""
    return configuration.load(home=home, database_url=url, **options)


def root(ledger: Ledger, settings: Settings, name: str = "photos") -> roots.RootFolder:
    """A root in the home folder."""
    folder = settings.home / name
    folder.mkdir(exist_ok=True)
    return roots.resolve(ledger.engine, settings, folder).root


def seen(
    name: str | bytes, size: int = 10, mtime: int = 1, ctime: int = 1, inode: int | None = 1
) -> SeenFile:
    """A file as a scan finds it."""
    return SeenFile(name.encode() if isinstance(name, str) else name, size, mtime, ctime, inode)


def register(ledger: Ledger, root_id: int, count: int, prefix: str = "") -> list[int]:
    """Ids of ``count`` new images, named 0.jpg, 1.jpg and so on behind ``prefix``."""
    files = [seen(f"{prefix}{number}.jpg") for number in range(count)]
    ids = ledger.register(root_id, files).ids
    return [ids[file.path] for file in files]


def queued(ledger: Ledger, root_id: int, count: int, prefix: str = "") -> list[int]:
    """Ids of new images that are all ``queued``."""
    ids = register(ledger, root_id, count, prefix)
    assert {image.id for image in ledger.take_pending(count)} == set(ids)
    return ids


def running(ledger: Ledger, root_id: int, count: int, worker: str = "w", lease: float = 60.0) -> list[int]:
    """Ids of new images in the hands of ``worker``."""
    ids = queued(ledger, root_id, count)
    assert [image.id for image in ledger.claim(ids, worker, lease, MODEL_ID)] == sorted(ids)
    return ids


def sha(word: str) -> str:
    """A SHA-256 that stands for the content ``word``."""
    return hashlib.sha256(word.encode()).hexdigest()


def sha256(data: bytes) -> str:
    """The SHA-256 of the bytes of a file."""
    return hashlib.sha256(data).hexdigest()


def content(
    top: Sequence[tuple[int, float]] = ((1, 0.7), (2, 0.2), (0, 0.1)),
    tags: Sequence[tuple[str, float]] = (("c_dog", 0.9),),
) -> NewContent:
    """A new content: a beagle unless said otherwise."""
    return NewContent("JPEG", 640, 480, None, None, top, tags)


def done(image_id: int, word: str, new: NewContent | None = None) -> Done:
    """The outcome of an image with the content ``word``; ``new`` None: the ledger knows it."""
    return Done(image_id, sha(word), 10, 1, new)


def commit(ledger: Ledger, *outcomes: Outcome, worker: str = "w") -> None:
    """Commit with the small model."""
    ledger.commit(worker, PROVENANCE, outcomes)


def row(ledger: Ledger, image_id: int) -> RowMapping:
    """The row of an image."""
    query = select(Image.__table__).where(Image.id == image_id)
    with ledger.engine.connect() as connection:
        return connection.execute(query).mappings().one()


def status(ledger: Ledger, *ids: int) -> list[str]:
    """The states of images."""
    return [row(ledger, image_id)["status"] for image_id in ids]


def query(ledger: Ledger, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a SQL statement."""
    with ledger.engine.connect() as connection:
        return [tuple(found) for found in connection.execute(text(statement))]


def execute(ledger: Ledger, statement: str) -> None:
    """Run a SQL statement that changes something."""
    with ledger.engine.begin() as connection:
        connection.execute(text(statement))


def jpeg(shade: int = 128, size: tuple[int, int] = (64, 48), taken: str | None = None) -> bytes:
    """The bytes of a JPEG of one grey shade; ``taken`` is EXIF's DateTimeOriginal."""
    file, exif = io.BytesIO(), Picture.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    Picture.new("RGB", size, (shade, shade, shade)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def png_of_lines(side: int) -> bytes:
    """The bytes of a PNG of noise, whose lines take the same number of bytes each."""
    file = io.BytesIO()
    Picture.effect_noise((side, side), 60).save(file, "PNG")
    return file.getvalue()
