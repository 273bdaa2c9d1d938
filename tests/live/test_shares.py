"""Directories that two people share: nobody takes another's files, and a team changes all of its.

Also on a file system of its own that is mounted there, as one of the network is.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.machine.local_daemon import lxd_directory
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.lab import Lab, lxc, lxc_ended

pytestmark = pytest.mark.plain

ANN, BEN = "shares-ann", "shares-ben"
VOLUME = "shares-papers"
GIT = "git -c user.name=x -c user.email=x@lab"
BY_ANN = f"""
cd /team && git init -q papers && cd papers &&
echo one >a && git add a && {GIT} commit -qm one && mkdir -p data && echo x >data/x
"""
BY_BEN = f"""
cd /team/papers && {GIT} status >/dev/null 2>~/refused; cat ~/refused >&2;
git config --global --add safe.directory /team/papers &&
echo two >>a && rm -r data && {GIT} commit -qam two && git gc -q
"""
AGAIN_BY_ANN = f"cd /team/papers && echo three >>a && {GIT} commit -qam three && git fsck --strict"


class Disk:
    """A file system in a file, mounted at a directory below which the share is."""

    def __init__(self, directory: Path) -> None:
        self.image, self.point = directory / "image", directory / "nas"
        self.point.mkdir()
        self.image.touch()
        subprocess.run(["truncate", "-s", "64M", self.image], check=True)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.point], check=True)

    def mount_one_without_lists(self) -> None:
        subprocess.run(["mount", "-t", "ramfs", "none", self.point], check=True)
        (self.point / "team").mkdir(mode=0o770)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", self.point], check=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("data")
    top.chmod(0o755)
    for name, mode in (("sets", 0o755), ("scratch", 0o1777), ("team", 0o770), ("own", 0o755)):
        (top / name).mkdir()
        (top / name).chmod(mode)
    (top / "sets" / "words").write_text("all may read\n")
    (top / "out").symlink_to("/etc")
    return top


@pytest.fixture(scope="module")
def disk(data: Path) -> Iterator[Disk]:
    disk = Disk(data)
    disk.mount()
    for name in ("scratch", "team"):
        (disk.point / name).mkdir()
    (disk.point / "scratch").chmod(0o1777)
    (disk.point / "team").chmod(0o770)
    yield disk
    disk.unmount()


@pytest.fixture(scope="module")
def shares(lab: Lab, data: Path, disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The lab, with shares."""
    private, opened = "private-files", "open"
    return lab.also(
        tmp_path_factory.mktemp("settings") / "lab.yaml",
        share_paths=[data],
        shares={
            "sets": {"path": f"{data}/sets", "at": "/sets", "kind": "read-only", "default": True},
            "scratch": {"path": f"{data}/scratch", "at": "/scratch", "kind": private},
            "own": {"path": f"{data}/own", "at": "/own", "kind": private},
            "team": {"path": f"{data}/team", "at": "/team", "kind": opened},
            "far": {"path": f"{disk.point}/scratch", "at": "/far", "kind": private},
            "far-team": {"path": f"{disk.point}/team", "at": "/far-team", "kind": opened},
            "papers": {"volume": f"{_pool()}/{VOLUME}", "at": "/papers", "kind": opened},
            "out": {"path": f"{data}/out", "at": "/out", "kind": "read-only"},
        },
    )


@pytest.fixture(scope="module")
def pair(shares: Lab, key: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """ann has been there; ben is made with shares."""
    destroy(shares, [ANN, BEN])
    common = ("--gpus", "none", "--key", str(key.with_suffix(".pub")), "--json")
    sizes = ("--memory", "512MiB", "--disk", "3GiB", "--home", "200MiB")
    asked = ("--share", "scratch", "--share", "team", "--share", "far")
    ann = shares.succeed("provision", ANN, *common, *sizes, "--share", "none").document
    ben = shares.succeed("provision", BEN, *common, *sizes, *asked).document
    shares.succeed("share", ANN, "scratch", "team", "far")
    yield {ANN: ann, BEN: ben}
    destroy(shares, [ANN, BEN])


def _pool() -> str:
    return lxc("profile", "device", "get", "default", "root", "pool").strip()


def _sh(name: str, script: str) -> subprocess.CompletedProcess[str]:
    """SCRIPT as root of the container, whatever it ends with."""
    return lxc_ended("exec", name, "--", "sh", "-c", script, timeout=120)


def _as(name: str, script: str) -> subprocess.CompletedProcess[str]:
    """As its user."""
    return lxc_ended("exec", name, "--", "su", "-", name, "-c", script, timeout=120)


def _lists(path: Path) -> list[str]:
    return [name for name in os.listxattr(path) if "posix_acl" in name]


@pytest.mark.parametrize("place", ["scratch", "far"])
def test_root_in_one_neither_reads_nor_deletes_anothers_files(
    pair: dict[str, dict[str, Any]], data: Path, place: str
) -> None:
    assert _as(ANN, f"umask 077; echo secret >/{place}/a").returncode == 0
    for attempt in ("cat /{}/a", "rm -f /{}/a", "chmod 666 /{}/a", "mv /{}/a /{}/b"):
        for run in (_sh, _as):
            said = run(BEN, attempt.replace("{}", place))
            assert said.returncode != 0, attempt
            assert "denied" in said.stderr or "not permitted" in said.stderr, said.stderr
    found = data / ("nas/scratch" if place == "far" else place) / "a"
    assert found.read_text() == "secret\n"
    assert found.stat().st_uid == pair[ANN]["ids"]["base"] + 1000
    assert _sh(BEN, f"stat -c %U /{place}/a").stdout == "nobody\n"
    assert _sh(ANN, f"cat /{place}/a; rm /{place}/a").stdout == "secret\n"


def test_two_write_in_one_git_repository(pair: dict[str, dict[str, Any]]) -> None:
    said = _as(ANN, BY_ANN)
    assert said.returncode == 0, said.stderr
    said = _as(BEN, BY_BEN)
    assert (said.returncode, "dubious ownership" in said.stderr) == (0, True), said.stderr
    said = _as(ANN, AGAIN_BY_ANN)
    assert said.returncode == 0, said.stderr
    # Root in a container, too: packages are installed there by sudo.
    assert _sh(BEN, "echo four >>/team/papers/a && rm /team/papers/.git/HEAD.lock -f").stderr == ""
    assert _as(ANN, "cat /team/papers/a").stdout == "one\ntwo\nthree\nfour\n"


def test_a_new_container_has_what_was_asked_for(pair: dict[str, dict[str, Any]]) -> None:
    has = {name: [one["name"] for one in made["shares"]] for name, made in pair.items()}
    assert has == {ANN: [], BEN: ["far", "scratch", "team"]}


def test_shares_come_and_go_while_it_runs(
    shares: Lab, pair: dict[str, dict[str, Any]], data: Path
) -> None:
    boot = lxc("exec", BEN, "--", "cat", "/proc/1/stat").split()[21]
    shares.succeed("share", BEN, "sets", "own", "far-team")
    assert _as(BEN, "cat /sets/words").stdout == "all may read\n"
    for attempt in ("touch /sets/x", "mount -o remount,rw /sets", "rm /sets/words"):
        assert _sh(BEN, attempt).returncode != 0, attempt
    assert _as(BEN, f"echo mine >/own/{BEN}/file && touch /own/file").returncode != 0
    assert (data / "own" / BEN / "file").stat().st_uid == pair[BEN]["ids"]["base"] + 1000
    assert _as(BEN, "mkdir /far-team/x && touch /far-team/x/y").returncode == 0
    wanted = ("share", BEN, "sets", "own", "far-team")
    assert shares.succeed(*wanted).out.endswith("nothing to do.\n")
    shares.succeed("unshare", *wanted[1:])
    assert _sh(BEN, "ls /sets/words /far-team/x").returncode != 0
    assert _lists(data / "nas" / "team" / "x") == []
    assert shares.succeed("unshare", *wanted[1:]).out.endswith("nothing to do.\n")
    assert lxc("exec", BEN, "--", "cat", "/proc/1/stat").split()[21] == boot


def test_a_volume_of_a_team(shares: Lab, pair: dict[str, dict[str, Any]]) -> None:
    pool = _pool()
    lxc_ended("storage", "volume", "delete", pool, VOLUME)
    assert "There is no volume" in shares.invoke("share", ANN, "papers").err
    lxc("storage", "volume", "create", pool, VOLUME)
    refused = shares.invoke("share", ANN, "papers").err
    assert "security.unmapped=true" in refused
    lxc("storage", "volume", "set", pool, VOLUME, "security.unmapped=true")
    place = lxd_directory() / "storage-pools" / pool / "custom" / f"default_{VOLUME}"
    place.chmod(0o770)
    for name in (ANN, BEN):
        shares.succeed("share", name, "papers")
    assert _as(ANN, "echo one >/papers/a").returncode == 0
    assert _as(BEN, "echo two >>/papers/a && cat /papers/a").stdout == "one\ntwo\n"
    assert (place / "a").stat().st_uid == pair[ANN]["ids"]["base"] + 1000
    for name in (ANN, BEN):
        shares.succeed("unshare", name, "papers")
    assert _lists(place) + _lists(place / "a") == []
    lxc("storage", "volume", "delete", pool, VOLUME)


def test_what_must_not_be_shared_is_refused(shares: Lab, pair: dict[str, dict[str, Any]]) -> None:
    said = shares.invoke("share", ANN, "out")
    assert (said.code, "leads to /etc, a directory of the system" in said.err) == (2, True)
    said = shares.invoke("provision", ANN, "--share", "sets")
    assert (said.code, f"invoke share {ANN} sets && invoke unshare {ANN}" in said.err) == (2, True)


def test_a_mount_that_is_missing_at_the_start(
    shares: Lab, pair: dict[str, dict[str, Any]], disk: Disk
) -> None:
    shares.succeed("stop", BEN)
    disk.unmount()
    said = shares.succeed("start", BEN)
    assert "the share far may be missing or empty" in said.err
    assert _sh(BEN, "touch /far/x && rm /far/x && ls -A /far").stdout == ""
    checks = shares.invoke("host.check", "--json").document["checks"]
    (found,) = (one for one in checks if one["name"] == "shares" and one["subject"] == "far")
    assert found["status"] == "warn"
    refused = shares.invoke("share", BEN, "far")
    assert refused.code == 2
    disk.mount()
    assert "again" in shares.succeed("share", BEN, "far").out
    assert _as(BEN, "touch /far/back").returncode == 0
    assert (disk.point / "scratch" / "back").stat().st_uid == pair[BEN]["ids"]["base"] + 1000


def test_a_file_system_without_access_lists_cannot_be_open(
    shares: Lab, pair: dict[str, dict[str, Any]], disk: Disk
) -> None:
    shares.succeed("unshare", BEN, "far")
    shares.succeed("unshare", ANN, "far")
    disk.unmount()
    disk.mount_one_without_lists()
    said = shares.invoke("share", BEN, "far-team")
    assert (said.code, "keeps no POSIX access lists" in said.err) == (2, True), said.err


def test_who_leaves_leaves_no_rights(
    shares: Lab, pair: dict[str, dict[str, Any]], data: Path
) -> None:
    said = shares.succeed("destroy", BEN, "--yes")
    assert f"{data}/team (device share-team, /team)" in said.out
    shares.succeed("unshare", ANN, "team")
    assert _lists(data / "team") + _lists(data / "team" / "papers" / "a") == []
