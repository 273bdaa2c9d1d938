"""Images packed in their builders: the same as LXD's own, the body packed once for all releases."""

from __future__ import annotations

import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.live_lab.driven import drive, newest, pack_inside, running, runs
from tests.support.live_lab.gpu_host import kill_and_start_lxd
from tests.support.live_lab.lab import instances, lxc
from tests.support.live_lab.standins import NEW, OLD, for_any_host, make_debs
from tests.support.live_lab.tiny import PROJECT, STABLE, Tiny, at, litter

_GONE = "/etc/issue.net"


@pytest.fixture
def packed(tiny: Tiny, tmp_path: Path) -> Tiny:
    """A tiny lab with a driver, whose images are packed as they are by default."""
    for version in (OLD, NEW):
        make_debs(tmp_path, version)
    packages = f"{tmp_path}/debs-{{version}}"
    drive(tiny, _NOTHING_LEFT, packages=packages, **for_any_host())
    pack_inside(tiny)
    return tiny


_NOTHING_LEFT = runs("no pack", "sh", "-c", "ls -A /var/cache | grep labstamp; true", shows="^$")


@pytest.mark.plain
def test_an_image_is_what_lxd_would_have_packed(packed: Tiny, tmp_path: Path) -> None:
    packed.lab.succeed("build-images")
    assert "packing it whole" not in packed.kept_log()
    assert " 0 gone" in packed.kept_log()
    lxc("init", STABLE, "lt-same")
    try:
        lxc("publish", "lt-same", "--alias", "lt-same", "--compression", "zstd")
        is_managed, theirs = _entries(STABLE, tmp_path), _entries("lt-same", tmp_path)
    finally:
        lxc("delete", "--force", "lt-same")
        lxc("image", "delete", "lt-same")
    assert len(theirs) > 5000
    assert any(entry.xattrs for entry in theirs.values()) == any(
        entry.xattrs for entry in is_managed.values()
    )
    assert {name: str(entry) for name, entry in is_managed.items()} == {
        name: str(entry) for name, entry in theirs.items()
    }


class _Entry:
    """One member of an image, without its times: LXD rounds those."""

    def __init__(self, member: tarfile.TarInfo) -> None:
        # Which of several names of a file is the file is up to the packer.
        self.kind = "file" if member.isreg() or member.islnk() else member.type.decode()
        self.owner = (member.uid, member.gid, oct(member.mode))
        self.target = member.linkname if member.issym() else ""
        headers = sorted(member.pax_headers.items())
        self.xattrs = {name: value for name, value in headers if "xattr" in name}

    def __str__(self) -> str:
        return f"{self.kind} {self.owner} {self.target} {self.xattrs}"


def _entries(image: str, directory: Path) -> dict[str, _Entry]:
    """Name → entry; of two with one name the later one counts."""
    file = directory / "image"
    lxc("image", "export", image, str(file))
    packed = file.with_suffix(".tar.zst")
    with subprocess.Popen(["zstd", "-dc", str(packed)], stdout=subprocess.PIPE) as unpacking:
        assert unpacking.stdout is not None
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar:
            found = {member.name.rstrip("/"): _Entry(member) for member in tar}
    packed.unlink()
    return {name: entry for name, entry in found.items() if name.startswith("rootfs")}


@pytest.mark.plain
def test_what_a_driver_takes_away_is_not_in_the_image(packed: Tiny, tmp_path: Path) -> None:
    _make_remover(tmp_path / f"debs-{OLD}")
    packed.lab.succeed("build-images")
    assert f"1 gone\nf .{_GONE}\npacking it whole" in packed.kept_log()
    with running() as name:
        assert _GONE.rsplit("/", 1)[1] not in lxc("exec", name, "--", "ls", "/etc").split()
        assert "issue" in lxc("exec", name, "--", "ls", "/etc").split()


def _make_remover(directory: Path) -> None:
    """A package that removes a file of the body."""
    control = directory.parent / "tree-remover" / "DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(
        "Package: nvidia-remover\nVersion: 1\nArchitecture: all\n"
        "Maintainer: labstamp tests <tests@lab.example>\nDescription: STAND-IN of the tests\n"
    )
    (control / "postinst").write_text(f"#!/bin/sh\nrm -f {_GONE}\n")
    (control / "postinst").chmod(0o755)
    command = ["dpkg-deb", "--build", "--root-owner-group", str(control.parent)]
    subprocess.run(
        [*command, str(directory / f"nvidia-remover_{OLD}-1_all.deb")],
        check=True,
        capture_output=True,
    )


def test_without_zstd_inside_lxd_packs_it(packed: Tiny) -> None:
    packed.boot_with("runcmd: [[rm, /usr/bin/zstd]]\n")
    packed.lab.succeed("build-images")
    assert "zstd is not installed\n" in packed.kept_log()
    assert "LXD packs the image instead.\n" in packed.kept_log()
    assert (newest(packed)["smoke"], newest(packed)["gpu"]) == ("passed", "passed")


@pytest.mark.plain
def test_killed_while_it_packs_or_publishes_the_next_run_goes_on(packed: Tiny) -> None:
    for phase in ("pack", "publish"):
        said = packed.lab.signal_at(signal.SIGKILL, at(phase), "build-images")
        assert said.code == -signal.SIGKILL
        assert packed.release() is None
    said = packed.lab.signal_at(signal.SIGTERM, at("publish"), "build-images")
    assert said.code == 130
    assert not [name for name in instances(PROJECT) if name.startswith(("builder-", "layer-"))]
    packed.lab.succeed("build-images")
    assert packed.release() is not None
    assert litter() == []


@pytest.mark.plain
def test_an_lxd_that_dies_while_it_takes_an_image(packed: Tiny) -> None:
    def dies(line: str) -> bool:
        if not at("publish")(line):
            return False
        kill_and_start_lxd()
        return True

    said = packed.lab.signal_at(None, dies, "build-images")
    assert said.code == 4, said.err
    assert packed.release() is None
    packed.lab.succeed("build-images")
    assert litter() == []
