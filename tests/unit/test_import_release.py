"""What the image in a file may be and ask for: a release that fits, without a history."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from images.releases.promotion_order import promotion
from lab.errors import CapacityError, InputError
from lab.release import Needs
from tests.support.builders.carried import (
    V,
    add,
    bring,
    export,
    forged,
    manifest_of,
    member,
    properties,
    refused,
)
from tests.support.builders.releases import Shelf
from tests.support.fake_lxd.lxd import FakeLxd


def test_an_image_that_is_no_release_is_refused(tmp_path: Path) -> None:
    path = forged(tmp_path, manifest_of(b"content"), [("metadata", b"content")])
    assert refused(path) == (
        "FILE contains an image that is not a labstamp release.\n"
        "Next: Give a file that `invoke export-image` wrote."
    )


def test_a_release_that_asks_for_privileges_is_refused(tmp_path: Path) -> None:
    """Its checksums are right: somebody made it so."""
    shelf = Shelf()
    shelf.build(
        V,
        needs=Needs(
            config={"security.privileged": "true", "raw.lxc": "lxc.cap.drop=", "user.x": "y"},
            devices={"disk": {"type": "unix-block", "source": "/dev/sda"}},
        ),
    )
    export(shelf, tmp_path / "x")
    assert refused(tmp_path / "x") == (
        "FILE contains a release that cannot be used here.\n"
        "  raw.lxc: raw keys bypass LXD's checks\n"
        "  security.privileged: containers here are unprivileged\n"
        "  device disk: containers here are unprivileged, and get no disks of the server\n"
        "Next: Correct the template on the machine that exported it, then export it again."
    )


@pytest.mark.parametrize("name", ["../base", "base/20261121.1", "Base", "b\nx"])
def test_a_release_with_a_strange_name_is_refused(name: str, tmp_path: Path) -> None:
    strange = {**properties(), "lab.template": name, "evil.key": "1"}
    manifest = {**manifest_of(b"content"), "properties": strange}
    path = forged(tmp_path, manifest, [("metadata", b"content")])
    assert refused(path) == (
        "FILE contains a release that cannot be used here.\n"
        "  lab.template: is not the name of a template\n"
        "  the property 'evil.key' is not a property of labstamp\n"
        "Next: Correct the template on the machine that exported it, then export it again."
    )


HISTORY = {
    "lab.promoted": "9",
    "lab.promoted_at": "2036-01-01T00:00:00+00:00",
    "lab.smoke": "passed",
    "lab.gpu": "passed",
    "lab.builder": "vm 1 1",
    "lab.source": "debian-12",
    "lab.later": "x",
}


def _file(tmp_path: Path, more: dict[str, str], **node: object) -> Path:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        add(tar, "metadata.yaml", b"architecture: x86_64\n")
        if node:
            entry = tarfile.TarInfo("rootfs/srv/a b")
            for name, value in node.items():
                setattr(entry, name, value)
            tar.addfile(entry)
    packed = content.getvalue()
    manifest = {**manifest_of(packed), "properties": {**properties(), **more}}
    return forged(tmp_path, manifest, [("metadata", packed)])


def test_what_happened_to_a_release_elsewhere_is_not_taken(tmp_path: Path) -> None:
    lxd = FakeLxd()
    assert bring(_file(tmp_path, HISTORY), lxd).startswith(f"base {V} is imported")
    (came,) = lxd.images()
    kept = {key: value for key, value in came.properties.items() if key in HISTORY and value}
    assert kept == {"lab.smoke": "pending", "lab.gpu": "pending"}
    assert promotion(came) is None


def test_what_its_containers_are_given_is_told(tmp_path: Path) -> None:
    asking = Needs(
        config={"security.nesting": "true"},
        devices={"fuse": {"type": "unix-char", "source": "/dev/fuse"}},
    )
    shelf = Shelf()
    shelf.build(V, needs=asking)
    told = bring(_file(tmp_path, dict(shelf.release(V).image.properties)))
    assert told.splitlines()[1] == "Its containers are given: security.nesting=true, device fuse"


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("lab.version", "../../x", "lab.version: is not a version such as 20261121.1"),
        ("lab.built_at", "2026-11-21T09:00:00", "lab.built_at: is not a time with a time zone"),
        ("lab.packages", "A" * (2 << 20 | 1), "lab.packages: is longer than 2097152 characters"),
        ("lab.accounts", "a " * 40000, "lab.accounts: is longer than 65536 characters"),
        ("lab.cleaned", "now", "lab.cleaned: is not a time in seconds"),
        ("description", "\x1b[2J", "description: is not printable"),
    ],
)
def test_a_property_that_no_release_has_is_refused(
    key: str, value: str, told: str, tmp_path: Path
) -> None:
    said = refused(_file(tmp_path, {key: value}))
    assert said.splitlines()[0] == "FILE contains a release that cannot be used here."
    assert said.splitlines()[1].startswith(f"  {told}")


@pytest.mark.parametrize(
    ("kind", "major", "told"),
    [
        (tarfile.BLKTYPE, 8, "  /srv/a b (block 8,1)"),
        (tarfile.CHRTYPE, 10, "  /srv/a b (character 10,1)"),
    ],
)
def test_an_image_with_a_device_node_is_refused(
    kind: bytes, major: int, told: str, tmp_path: Path
) -> None:
    said = refused(_file(tmp_path, {}, type=kind, devmajor=major, devminor=1))
    assert said.splitlines()[1] == told


def test_overlay_s_whiteouts_and_pipes_are_no_device_nodes(tmp_path: Path) -> None:
    assert bring(_file(tmp_path, {}, type=tarfile.CHRTYPE, devmajor=0, devminor=0))
    assert bring(_file(tmp_path, {}, type=tarfile.FIFOTYPE))


def test_an_image_that_is_no_tarball_is_refused(tmp_path: Path) -> None:
    content = b"x" * 2048
    manifest = {**manifest_of(content), "properties": properties()}
    said = refused(forged(tmp_path, manifest, [("metadata", content)]))
    assert said.startswith("FILE contains an image that cannot be checked.\n")


@pytest.mark.parametrize(
    ("template", "short"), [("other", "base"), ("docker", "other"), ("other", "docker-nested")]
)
def test_a_name_that_means_another_template_here_is_refused(
    template: str, short: str, tmp_path: Path
) -> None:
    shelf = Shelf()
    shelf.build(V)
    fingerprint = shelf.build(V, "docker-nested")
    shelf.lxd.set_image_properties(fingerprint, {"lab.short": "docker"})
    path = _file(tmp_path, {"lab.template": template, "lab.short": short})
    with pytest.raises(InputError, match=rf"contains a release of {template} \(short: {short}\)"):
        bring(path, shelf.lxd)


def test_an_image_that_is_here_under_no_lab_s_name_is_brought_like_any_other(
    tmp_path: Path,
) -> None:
    """Somebody had LXD import it, with a history in its own metadata.yaml."""
    path = _file(tmp_path, {})
    lxd = FakeLxd()
    content = tmp_path / "content"
    content.write_bytes(member(path, "metadata"))
    lxd.import_image(content, None, properties={**properties(), **HISTORY})
    bring(path, lxd)
    (came,) = lxd.images()
    kept = {key: value for key, value in came.properties.items() if key in HISTORY and value}
    assert kept == {"lab.smoke": "pending", "lab.gpu": "pending"}


def test_an_image_larger_than_any_pool_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A megabyte may be a terabyte of zeros."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        add(tar, "metadata.yaml", b"architecture: x86_64\n")
        entry = tarfile.TarInfo("rootfs/zeros")
        entry.size = 1 << 40
        # Its size is enough, the zeros need not come.
        content.write(entry.tobuf(tarfile.GNU_FORMAT))
    packed = content.getvalue()
    manifest = {**manifest_of(packed), "properties": properties()}
    path = forged(tmp_path, manifest, [("metadata", packed)])
    with pytest.raises(CapacityError) as caught:
        bring(path)
    assert str(caught.value).splitlines()[0] == (
        f"{path} contains an image of more than 39.0 GiB, which is all that a storage pool has "
        "free."
    )
