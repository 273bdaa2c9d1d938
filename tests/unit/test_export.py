"""A release as one file: written whole or not at all, and read again as the same release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from images.releases.importing import import_image
from images.releases.promotion_order import promotion
from lab.errors import CapacityError, Conflict, InputError, LabError, LxdError
from lab.lxd.model import Image
from lab.release import BUILDER, Release, Smoke, smoke_property
from lab.report import Silent
from tests.support.builders.carried import (
    V,
    bring,
    export,
    member,
)
from tests.support.builders.releases import Shelf
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH


def test_a_release_travels_to_another_machine(shelf: Shelf, exported: Path) -> None:
    there = FakeLxd()
    assert bring(exported, there) == (
        f"base {V} is imported; users do not get it yet.\n"
        "Next, to check it on this machine and give it to users:\n"
        f"  invoke promote base {V}"
    )
    sent = shelf.release(V).image
    (alias, fingerprint), *more = there.aliases().items()
    assert (alias, fingerprint, more) == (f"lab/base/{V}", sent.fingerprint, [])
    came = there.image(fingerprint)
    assert came is not None
    assert came.properties == {
        **{key: value for key, value in sent.properties.items() if "promoted" not in key},
        **smoke_property(Smoke.PENDING, Smoke.PENDING),
        BUILDER: "",
    }
    assert promotion(came) is None


def test_importing_it_again_changes_nothing(exported: Path) -> None:
    lxd = FakeLxd()
    bring(exported, lxd)
    lxd.changes.clear()
    assert bring(exported, lxd) == f"LXD already has base {V}; nothing to do."
    assert lxd.changes == []


def test_a_version_that_is_here_with_other_content_is_refused(exported: Path) -> None:
    other = Shelf()
    other.lxd.create_project("x", {})  # another count, hence another image
    here = other.build("20261121.2") and other.build(V)
    other.lxd.changes.clear()
    with pytest.raises(InputError) as caught:
        bring(exported, other.lxd)
    in_file = json.loads(member(exported, "manifest.json"))["fingerprint"]
    assert str(caught.value) == (
        f"base {V} exists here already, with other content.\n"
        f"  Here:    {here}\n"
        f"  In file: {in_file}\n"
        f"Next: Delete the release here, if it is not needed: lxc image delete lab/base/{V}"
    )
    assert other.lxd.changes == []


def test_an_import_that_was_cut_off_is_finished_by_the_next(exported: Path) -> None:
    lxd = FakeLxd()
    lxd.failures[f"set_alias lab/base/{V}"] = LxdError("cut off")
    with pytest.raises(LxdError):
        bring(exported, lxd)
    (left,) = lxd.images()
    assert left.properties[BUILDER] != ""
    bring(exported, lxd)
    (whole,) = lxd.images()
    assert whole.aliases == (f"lab/base/{V}",)
    assert whole.properties[BUILDER] == ""


def test_a_lab_beside_this_one_shares_the_image_and_its_judgement(
    shelf: Shelf, exported: Path
) -> None:
    import_image(shelf.lxd, "other", exported, report=Silent())
    image = shelf.release(V).image
    assert image.aliases == ("lab/base", f"lab/base/{V}", f"other/base/{V}")
    release = Release.of(image)
    assert release is not None
    assert release.smoke is Smoke.PASSED


def test_an_existing_file_is_overwritten_only_by_force(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "thesis.tar"
    path.write_text("years of work")
    with pytest.raises(InputError) as caught:
        export(shelf, path)
    assert str(caught.value) == (
        f"{path} exists.\nNext: Choose another name, or overwrite it: --force"
    )
    assert path.read_text() == "years of work"
    export(shelf, path, force=True)
    assert bring(path)


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    write = shelf.lxd.export_image

    def meanwhile(*args: object, **rest: object) -> object:
        path.write_text("years of work")
        return write(*args, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(shelf.lxd, "export_image", meanwhile)
    with pytest.raises(InputError):
        export(shelf, path)
    assert path.read_text() == "years of work"


def test_an_export_that_fails_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    shelf.lxd.failures["export_image"] = Conflict("no")
    with pytest.raises(Conflict):
        export(shelf, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_removed_by_the_next(shelf: Shelf, tmp_path: Path) -> None:
    left = tmp_path / "labstamp-1-1-abc"
    left.mkdir()
    (left / "metadata").write_bytes(b"x")
    export(shelf, tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def _full(_: Path) -> SimpleNamespace:
    return SimpleNamespace(free=1024)


def test_a_full_disk_is_found_before_anything_is_written(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", _full)
    fingerprint = shelf.release(V).image.fingerprint
    kept = shelf.lxd.store.images[fingerprint]
    kept.image = Image(
        fingerprint=fingerprint,
        properties=kept.image.properties,
        size_bytes=1 << 20,
        created_at=EPOCH,
    )
    with pytest.raises(CapacityError) as caught:
        export(shelf, tmp_path / "x")
    assert str(caught.value) == (
        f"{tmp_path} has 1.0 KiB free, exporting base {V} needs 2.0 MiB.\n"
        "Next: Free some space there, or use another directory."
    )


def test_a_disk_that_fills_up_is_told_in_words(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf.lxd, "export_image", full)
    with pytest.raises(LabError) as caught:
        export(shelf, tmp_path / "x")
    assert caught.value.exit_code == 3
    assert str(caught.value) == f"{tmp_path / 'x'} cannot be written: No space left on device."
    assert list(tmp_path.iterdir()) == []


def test_places_where_no_file_can_be(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        export(shelf, tmp_path)
    assert str(caught.value) == f"{tmp_path} is a directory.\nNext: Add the name of the file."
    with pytest.raises(InputError) as caught:
        export(shelf, tmp_path / "none" / "x")
    assert str(caught.value) == (
        f"There is no directory {tmp_path / 'none'}.\nNext: Make it: mkdir -p {tmp_path / 'none'}"
    )


def test_an_older_version_can_be_exported(shelf: Shelf, tmp_path: Path) -> None:
    shelf.build("20261122.1")
    export(shelf, tmp_path / "x", version=V)
    assert json.loads(member(tmp_path / "x", "manifest.json"))["properties"]["lab.version"] == V
