"""What every LXD behind the port does: images and their aliases."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lab.errors import Conflict, InputError, LxdError, NotFound
from lab.lxd.model import InstanceSpec, Progress
from lab.sizes import format_size
from tests.contract.conftest import Backend


def test_publish_sets_properties_and_aliases_at_once(
    backend: Backend, made: str, name: str, alias: str
) -> None:
    backend.lxd.write_file(made, "/etc/mark", b"published")
    image = backend.lxd.publish(
        made,
        aliases=[alias, f"{alias}/20261121.1"],
        properties={"lab.template": "base", "description": "Ein Bild – 图"},
        compression="zstd",
    )
    assert image.aliases == (alias, f"{alias}/20261121.1")
    assert image.properties == {"lab.template": "base", "description": "Ein Bild – 图"}
    assert image.size_bytes > 0
    assert image.created_at.tzinfo is not None
    assert backend.lxd.image(image.fingerprint) == image
    assert image in backend.outside.images()
    assert backend.lxd.aliases()[alias] == image.fingerprint

    copy = backend.unused()
    try:
        backend.lxd.create(InstanceSpec(name=copy, image=image.fingerprint))
        assert backend.lxd.read_file(copy, "/etc/mark") == b"published"
    finally:
        backend.lxd.delete(copy)


def test_an_alias_that_exists_is_a_conflict_and_leaves_no_orphan(
    backend: Backend, made: str, alias: str
) -> None:
    backend.lxd.set_alias(alias, backend.image.fingerprint)
    before = {image.fingerprint for image in backend.lxd.images()}
    with pytest.raises(Conflict) as caught:
        backend.lxd.publish(
            made, aliases=[alias, f"{alias}/new"], properties={}, compression="none"
        )
    assert str(caught.value) == (
        f"LXD could not publish {made}.\n  The alias {alias} exists.\n"
        "Next: Run the same command again."
    )
    after = [image for image in backend.lxd.images() if image.fingerprint not in before]
    assert [image for image in after if image.properties.get("os") == "tiny"] == []
    assert backend.lxd.aliases()[alias] == backend.image.fingerprint


def test_only_a_stopped_instance_is_published_and_only_as_lxd_can(
    backend: Backend, made: str, box: str
) -> None:
    with pytest.raises(LxdError) as caught:
        backend.lxd.publish(box, aliases=[], properties={}, compression="none")
    assert str(caught.value) == (
        f"LXD could not publish {box}.\n  Cannot export a running instance as an image"
    )
    with pytest.raises(LxdError) as caught:
        backend.lxd.publish(made, aliases=[], properties={}, compression="lz4")
    assert str(caught.value) == (
        f'LXD could not publish {made}.\n  Invalid compression algorithm "lz4"'
    )
    with pytest.raises(NotFound):
        backend.lxd.publish(backend.unused(), aliases=[], properties={}, compression="none")


def test_an_alias_moves_and_goes(backend: Backend, made: str, alias: str) -> None:
    lxd = backend.lxd
    first = lxd.publish(made, aliases=[f"{alias}/1"], properties={}, compression="none")
    lxd.set_alias(alias, backend.image.fingerprint)
    lxd.set_alias(alias, first.fingerprint)
    lxd.set_alias(alias, first.fingerprint)
    assert lxd.aliases()[alias] == first.fingerprint
    shown = lxd.image(first.fingerprint)
    assert shown is not None
    assert shown.aliases == (alias, f"{alias}/1")
    lxd.delete_alias(alias)
    lxd.delete_alias(alias)
    assert alias not in lxd.aliases()
    with pytest.raises(NotFound):
        lxd.set_alias(alias, "0" * 64)
    lxd.delete_image(first.fingerprint)
    lxd.delete_image(first.fingerprint)
    assert lxd.image(first.fingerprint) is None
    assert f"{alias}/1" not in lxd.aliases()


def test_properties_are_added_and_changed_but_not_lost(
    backend: Backend, made: str, alias: str
) -> None:
    image = backend.lxd.publish(
        made, aliases=[alias], properties={"lab.smoke": "pending", "a": "1"}, compression="none"
    )
    backend.lxd.set_image_properties(image.fingerprint, {"lab.smoke": "passed", "b": "2"})
    changed = backend.lxd.image(image.fingerprint)
    assert changed is not None
    assert changed.properties == {"lab.smoke": "passed", "a": "1", "b": "2"}
    assert changed.aliases == (alias,)
    with pytest.raises(NotFound):
        backend.lxd.set_image_properties("0" * 64, {})


def test_import_tells_of_its_progress_and_returns_what_is_there(backend: Backend) -> None:
    told: list[Progress] = []
    image = backend.lxd.import_image(
        backend.metadata,
        backend.rootfs,
        properties={"note": "again & again"},
        on_progress=told.append,
    )
    assert image.fingerprint == backend.image.fingerprint
    assert image.properties["note"] == "again & again"
    assert image.properties["os"] == "tiny"
    size = format_size(backend.metadata.stat().st_size + backend.rootfs.stat().st_size)
    assert told[-1] == Progress(text=f"Upload: 100% of {size}", percent=100)
    age = datetime.now(tz=timezone.utc) - image.created_at
    assert age > timedelta(0)


def test_an_export_is_what_was_imported(backend: Backend, tmp_path: Path) -> None:
    told: list[Progress] = []
    metadata, rootfs = backend.lxd.export_image(
        backend.image.fingerprint, tmp_path, on_progress=told.append
    )
    assert rootfs is not None
    assert (metadata.name, rootfs.name) == ("metadata", "rootfs")
    assert metadata.read_bytes() == backend.metadata.read_bytes()
    assert rootfs.read_bytes() == backend.rootfs.read_bytes()
    assert told[-1] == Progress(text="Download: 100%", percent=100)


def _unified(backend: Backend, made: str) -> bytes:
    """What a builder packs: the parts that LXD names, and a root file system."""
    packed = io.BytesIO()
    mark = {"rootfs/etc/mark": b"packed"}
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in {**backend.lxd.image_parts(made), **mark}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _write_halves(backend: Backend, made: str, packed: bytes) -> list[str]:
    halves = {"/var/one": packed[:1000], "/var/two": packed[1000:]}
    for path, half in halves.items():
        backend.lxd.write_file(made, path, half)
    return list(halves)


def test_what_was_packed_in_an_instance_is_published_as_it_is(
    backend: Backend, made: str, alias: str, tmp_path: Path
) -> None:
    packed = _unified(backend, made)
    heard: list[Progress] = []
    image = backend.lxd.publish_packed(
        made,
        _write_halves(backend, made, packed),
        aliases=[alias, f"{alias}/20261121.1"],
        properties={"lab.template": "base", "description": "Ein Bild – 图"},
        on_progress=heard.append,
    )
    assert image.aliases == (alias, f"{alias}/20261121.1")
    assert image.properties == {"lab.template": "base", "description": "Ein Bild – 图"}
    assert image.fingerprint == hashlib.sha256(packed).hexdigest()
    assert image in backend.outside.images()
    assert heard[-1].percent == 100
    exported, rootfs = backend.lxd.export_image(image.fingerprint, tmp_path)
    assert rootfs is None
    assert exported.read_bytes() == packed


def test_what_is_not_packed_yet_is_not_published(backend: Backend, made: str, alias: str) -> None:
    before = backend.lxd.images()
    there = _write_halves(backend, made, b"x" * 2000)
    with pytest.raises(NotFound):
        backend.lxd.publish_packed(made, [*there, "/var/three"], aliases=[alias], properties={})
    backend.lxd.set_alias(alias, backend.image.fingerprint)
    with pytest.raises(Conflict) as caught:
        backend.lxd.publish_packed(made, there, aliases=[alias], properties={})
    assert str(caught.value) == (
        f"LXD could not publish {made}.\n  The alias {alias} exists.\n"
        "Next: Run the same command again."
    )
    assert {one.fingerprint for one in backend.lxd.images()} == {one.fingerprint for one in before}


def test_the_parts_of_an_image_say_what_it_is_for(backend: Backend, made: str) -> None:
    parts = backend.lxd.image_parts(made)
    metadata = json.loads(parts["metadata.yaml"])
    assert metadata["architecture"] == platform.machine()
    assert metadata["creation_date"] > 0
    assert metadata["properties"] == {}
    assert set(parts) - {"metadata.yaml"} == {
        f"templates/{one['template']}" for one in metadata["templates"].values()
    }
    with pytest.raises(NotFound):
        backend.lxd.image_parts(backend.unused())


def test_an_export_of_a_published_image_is_imported_as_the_same_image(
    backend: Backend, made: str, alias: str, tmp_path: Path
) -> None:
    lxd = backend.lxd
    image = lxd.publish(made, aliases=[alias], properties={"a": "1"}, compression="none")
    metadata, rootfs = lxd.export_image(image.fingerprint, tmp_path)
    assert rootfs is None
    lxd.delete_image(image.fingerprint)
    again = lxd.import_image(metadata, None, properties={"a": "2"})
    lxd.set_alias(alias, again.fingerprint)
    assert again.fingerprint == image.fingerprint
    assert again.size_bytes == image.size_bytes
    assert again.properties["a"] == "2"


def test_an_image_that_is_missing_is_not_exported(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        backend.lxd.export_image("0" * 64, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_instance_gets_its_images_properties_and_can_lose_them(
    backend: Backend, made: str, name: str, alias: str
) -> None:
    long = "x" * 100_000
    image = backend.lxd.publish(
        made, aliases=[alias], properties={"lab.long": long}, compression="none"
    )
    copy = f"{name}-copy"
    try:
        backend.lxd.create(InstanceSpec(name=copy, image=image.fingerprint))
        found = backend.lxd.instance(copy)
        assert found is not None
        assert found.config["image.lab.long"] == long
        changed = backend.lxd.update(copy, config={"image.lab.long": None})
        assert "image.lab.long" not in changed.config
    finally:
        backend.lxd.delete(copy)


def test_a_file_that_is_missing_is_no_image(backend: Backend, tmp_path: Path) -> None:
    missing = tmp_path / "metadata.tar"
    with pytest.raises(InputError) as caught:
        backend.lxd.import_image(missing, None, properties={})
    assert str(caught.value) == f"There is no image file {missing}."


def test_an_image_that_is_missing_is_none(backend: Backend) -> None:
    assert backend.lxd.image("0" * 64) is None
