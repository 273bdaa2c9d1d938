"""A person is backed up, proven, lost, and comes back: files, ids, keys, host keys and limits."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import Lab, Said, lxc, lxc_ended, query, ssh
from tests.support.live_lab.people import small_container

pytestmark = pytest.mark.plain

NAME = "lt-back"
WORK = """
mkdir -p ~/work/sub && cd ~/work
for i in $(seq 200); do echo "result $i" >run-$i; done
ln -sf run-1 newest; ln run-3 same; chmod 600 run-2; mkfifo pipe
truncate -s 20G holes; printf x >>holes
touch "$(printf 'bad\\377\\nname')"
"""
SUMS = """
cd / && find home etc/ssh usr/bin -xdev -printf '%p %U:%G %m %l %T@\\n' | sort | sha256sum
find home usr/bin etc/ssh -xdev -type f -size -1G -print0 | sort -z | xargs -0 sha256sum | sha256sum
getcap -r /usr/bin 2>/dev/null | sort
cat etc/ssh/ssh_host_ed25519_key.pub etc/machine-id
"""


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    """Only root may write there, and above it."""
    place = Path(f"/var/lib/labstamp-test-backups-{os.getpid()}")
    place.mkdir(mode=0o700)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def person(lab: Lab, key: Path) -> Iterator[dict[str, Any]]:
    with small_container(lab, NAME, key, disk="1500MiB", home="200MiB") as made:
        yield made


def _in(person: dict[str, Any], key: Path, script: str) -> Said:
    return ssh(person["ipv4"][0], NAME, key, [script])


def _sums() -> str:
    return lxc("exec", NAME, "--", "sh", "-c", SUMS)


def _instance() -> dict[str, Any]:
    return dict(query(f"/1.0/instances/{NAME}"))


def _ids() -> str:
    return str(_instance()["config"]["security.idmap.base"])


def test_a_person_comes_back_as_they_were(
    lab: Lab, person: dict[str, Any], key: Path, store: Path
) -> None:
    assert _in(person, key, WORK).code == 0
    lxc("config", "set", NAME, "limits.cpu", "1")
    before, ids, wished = _sums(), _ids(), _instance()
    lab.succeed("backup", NAME, "--to", str(store))
    (one,) = lab.succeed("backups", NAME, "--from", str(store), "--json").document["backups"]
    assert (one["damaged"], one["root"], one["good"]) == (None, True, None)
    assert not query(f"/1.0/instances/{NAME}/snapshots")

    lab.succeed("verify-backup", NAME, "--from", str(store))
    (one,) = lab.succeed("backups", NAME, "--from", str(store), "--json").document["backups"]
    assert (one["good"], one["found"]) == (True, [])
    assert lab.invoke("restore-backup", NAME, "--from", str(store), "--yes").code == 2

    lab.succeed("destroy", NAME, "--yes", "--purge")
    lab.succeed("restore-backup", NAME, "--from", str(store), "--yes")
    assert _sums() == before
    assert _ids() == ids
    now = _instance()
    assert now["devices"] == wished["devices"]
    same = ("limits.cpu", "limits.memory", "user.lab.owner", "user.lab.authorized-keys")
    assert {each: now["config"][each] for each in same} == {
        each: wished["config"][each] for each in same
    }
    shown = lab.succeed("show", NAME, "--json").document
    assert shown["ipv4"] == person["ipv4"]
    assert _in(shown, key, "cat ~/work/newest").out.strip() == "result 1"
    assert lxc_ended("image", "list", "--format", "json").stdout.count("lab.backup") == 0


def test_what_is_not_whole_is_found(lab: Lab, store: Path) -> None:
    (place,) = (store / "labstamp-backup" / NAME).iterdir()
    archive = place / "home.tar.zst"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-7])
    said = lab.invoke("verify-backup", NAME, "--from", str(store))
    assert (said.code, "home.tar.zst was cut off" in said.err) == (5, True)
    archive.write_bytes(whole)
    noted = place / "verified.json"
    assert not json.loads(noted.read_text(encoding="utf-8"))["good"]
    noted.unlink()
    other = store / "labstamp-backup" / "lt-other"
    shutil.copytree(place, other / place.name)
    said = lab.invoke("verify-backup", "lt-other", "--from", str(store))
    assert (said.code, f"it is a backup of {NAME}" in said.err) == (5, True)
    shutil.rmtree(other)


def test_a_restore_that_is_killed_is_done_again(
    lab: Lab, person: dict[str, Any], key: Path, store: Path
) -> None:
    destroy(lab, [NAME])
    command = ("restore-backup", NAME, "--from", str(store), "--yes")
    assert killed(lab, 4, *command)
    lab.succeed(*command)
    assert _in(person, key, "cat ~/work/newest").out.strip() == "result 1"
    assert lxc_ended("image", "list", "--format", "json").stdout.count("lab.backup") == 0
