"""The root of uploads: one for a ledger, in no folder of people's, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagtray.config import settings as configuration
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots, uploads
from tests import builders


def test_it_is_made_once(ledger: Ledger, host: Settings) -> None:
    first = uploads.ensure(ledger.engine, host)

    assert uploads.ensure(ledger.engine, host) == first
    assert first.name == "uploads"
    assert Path(first.path.decode()) == host.home / "uploads"


def test_a_folder_around_it_does_not_take_it_in(ledger: Ledger, host: Settings) -> None:
    root = uploads.ensure(ledger.engine, host)

    target = roots.resolve(ledger.engine, host, host.home.parent, "around")

    assert (target.root.name, target.below, target.notes) == ("around", b"", ())
    assert roots.overlaps(ledger.engine, host) == []
    assert uploads.ensure(ledger.engine, host) == root


def test_a_folder_of_that_name_gets_another_one(ledger: Ledger, host: Settings, tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()

    assert roots.resolve(ledger.engine, host, tmp_path / "uploads").root.name == "uploads_2"
    with pytest.raises(UsageError, match="uploads is the root of uploaded files"):
        roots.resolve(ledger.engine, host, tmp_path, "uploads")


def test_photos_that_have_its_name_from_before_are_not_touched(
    ledger: Ledger, host: Settings, tmp_path: Path
) -> None:
    root = builders.root(ledger, host)
    builders.execute(ledger, f"UPDATE roots SET name = 'uploads', path = '{tmp_path}' WHERE id = {root.id}")

    with pytest.raises(UsageError, match="`tagtray roots rename uploads NAME`"):
        uploads.ensure(ledger.engine, host)


def test_another_host_has_it_where_its_setting_says(
    ledger: Ledger, host: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = uploads.ensure(ledger.engine, host)
    monkeypatch.setenv("TAGTRAY_ROOT_UPLOADS", str(tmp_path / "shared"))
    other = configuration.load(home=tmp_path / "home", database_url=host.database_url)

    found = uploads.ensure(ledger.engine, other)

    assert (found.id, found.path) == (root.id, bytes(tmp_path / "shared"))


def test_what_has_expired_has_ended(ledger: Ledger, host: Settings) -> None:
    root = uploads.ensure(ledger.engine, host)
    ids = builders.running(ledger, root.id, 2)
    builders.commit(ledger, builders.done(ids[0], "dog", builders.content()))
    builders.execute(ledger, "UPDATE images SET first_seen_at = '2020-01-01 00:00:00+00'")

    found = uploads.expired(ledger.engine, root.id, 30, 10)

    assert [(upload.image_id, upload.sha256) for upload in found] == [(ids[0], builders.sha("dog"))]
    assert uploads.expired(ledger.engine, root.id, 36_500, 10) == []
