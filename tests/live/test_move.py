"""A container goes to a second LXD and back, is cut off on the way, and loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import labels
from lab.lxd.client import connect
from lab.lxd.idmap import IdRange
from lab.lxd.model import InstanceSpec
from lab.lxd.port import Lxd
from tests.support.certificates import make_pair
from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import Lab
from tests.support.live_lab.second_server import Server, first_server, second_server
from tests.support.tiny_root import make_tiny_root

pytestmark = pytest.mark.plain

NAME = "ltmv-ann"
HOME = f"home-{NAME}"
# As LXD's init has no DHCP client in a root of 2 MB; of a network that nobody has (RFC 5737).
BOOT = b"""#!/bin/sh
ip link set eth0 up
ip addr add 203.0.113.7/24 dev eth0
trap 'exit 0' PWR TERM INT
while :; do sleep 3600 & wait $!; done
"""
WORK = """
set -e
mkdir -p /home/ann/deep/er && cd /home/ann
i=0; while [ $i -lt 300 ]; do echo "result $i" >$i; i=$((i+1)); done
ln -s 1 link; chmod 600 2; echo words >deep/er/thesis
echo 'by hand' >/root/mine; echo 'host key' >/etc/key; chmod 600 /etc/key
"""
SUMS = (
    "cd / && for f in $(ls -d /home/ann/* /home/ann/deep/er/* /root/* /etc/*); do "
    "stat -c '%n %a %u %g %s' $f; [ -f $f ] && md5sum $f; done; cat /proc/self/uid_map"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """Each is the other's `second` in lab.yaml."""

    first: Server
    second: Server
    here: Lab
    there: Lab


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    place = tmp_path_factory.mktemp("move")
    client = make_pair(place, "ltmv-client")
    with first_server(place, client) as first, second_server(place, client) as second:
        usual = {
            "client-certificate": str(client.certificate),
            "client-key": str(client.key),
            "driver": {"delivery": "none"},
            # Of bridges with other names, which snapshots of NICs of their own would name.
            "network-filters": False,
        }
        labs = []
        for number, other in enumerate((second, first)):
            file = place / f"lab{number}.yaml"
            file.write_text(json.dumps({**usual, "remotes": {"other": other.as_remote()}}))
            labs.append(Lab(settings=file))
        yield Two(first=first, second=second, here=labs[0], there=labs[1])


@pytest.fixture
def person(two: Two, tmp_path: Path) -> Iterator[Lxd]:
    """ann has worked in her container on the first; somebody on the second has her ids."""
    lxd = connect()
    _remove(two)
    metadata, rootfs = make_tiny_root(tmp_path)
    image = lxd.import_image(metadata, rootfs, properties={"os": "ltmv"})
    ids = IdRange((lxd.id_range() or IdRange(1_000_000, 0)).base + 20 * 65536, 65536)
    pool = next(one.name for one in lxd.pools())
    marks = {labels.OWNER: "ann", labels.TEMPLATE: "tiny", labels.VERSION: "1"}
    home = {"user.lab.ids": str(ids), labels.CONTAINER: NAME, labels.PROJECT: "default"}
    lxd.create_volume(pool, HOME, {"size": "64MiB", **home, **marks, labels.PHASE: labels.READY})
    spec = InstanceSpec(
        name=NAME,
        image=image.fingerprint,
        config={
            **ids.config,
            **marks,
            labels.PHASE: labels.READY,
            labels.REQUEST: "{}",
            "limits.memory": "128MiB",
            "limits.cpu": "1",
            "boot.autostart": "true",
            "security.protection.delete": "true",
            "user.note": "by hand",
        },
        devices={
            "root": {"type": "disk", "path": "/", "pool": pool, "size": "1GiB"},
            "home": {"type": "disk", "path": "/home", "pool": pool, "source": HOME},
        },
        description="tiny 1 for ann",
    )
    lxd.create(spec)
    lxd.write_file(NAME, "/sbin/init", BOOT, mode=0o755)
    lxd.start(NAME)
    assert lxd.run(NAME, ["sh", "-c", WORK]).exit_code == 0
    lxd.create_volume_snapshot(pool, HOME, "monday")
    lxd.create_snapshot(NAME, "monday")
    lxd.run(NAME, ["sh", "-c", "echo more >/home/ann/after; echo more >/root/after"])
    yield lxd
    _remove(two)
    lxd.delete_image(image.fingerprint)


def _remove(two: Two) -> None:
    for lxd in (connect(), two.second.lxd):
        if lxd.instance(NAME) is not None:
            lxd.update(NAME, config={"security.protection.delete": None})
            lxd.delete(NAME)
        for pool in lxd.pools():
            lxd.delete_volume(pool.name, HOME)


def _of_ann(lxd: Lxd) -> dict[str, Any]:
    """What is to be the same on both servers."""
    instance = lxd.instance(NAME)
    assert instance is not None
    changing = (labels.MOVE, "boot.autostart", "security.idmap.base")
    return {
        "sums": lxd.run(NAME, ["sh", "-c", SUMS]).stdout.replace("1000000", "BASE").splitlines(),
        "config": {
            key: value
            for key, value in instance.config.items()
            if not key.startswith("volatile.") and key not in changing
        },
        "identity": instance.config["volatile.cloud-init.instance-id"],
        "mac": instance.config["volatile.eth0.hwaddr"],
        "description": instance.description,
        "size": instance.devices["root"]["size"],
        "snapshots": lxd.snapshots(NAME),
        "homes": lxd.volume_snapshots(instance.devices["home"]["pool"], HOME),
    }


def _runs(lxd: Lxd) -> bool:
    found = lxd.instance(NAME)
    return found is not None and found.state.value == "Running"


def _at_the_second(two: Two, *arguments: str) -> None:
    said = two.there.invoke(*arguments, LXD_DIR=two.second.environ["LXD_DIR"])
    assert said.code == 0, said.out + said.err


def test_there_and_back(two: Two, person: Lxd) -> None:
    before = _of_ann(person)
    said = two.here.succeed("move", NAME, "other", "--yes")
    assert "it was down for " in said.err
    assert not _runs(person)
    assert _of_ann(two.second.lxd) == before
    refused = two.here.invoke("start", NAME)
    assert refused.code == 2
    assert "was moved to other" in refused.err
    two.here.succeed("move", NAME, "--forget", "--yes")
    assert person.instance(NAME) is None
    two.second.lxd.run(NAME, ["sh", "-c", "echo there >/home/ann/there"])
    now = _of_ann(two.second.lxd)
    assert now != before
    _at_the_second(two, "move", NAME, "other", "--yes")
    assert not _runs(two.second.lxd)
    assert _of_ann(person) == now


@pytest.mark.parametrize("changes", [16])
def test_cut_off_one_is_at_work_and_the_next_run_ends_it(
    two: Two, person: Lxd, changes: int
) -> None:
    before = _of_ann(person)
    assert killed(two.here, changes, "move", NAME, "other", "--yes")
    assert not (_runs(person) and _runs(two.second.lxd))
    two.here.succeed("move", NAME, "other", "--yes")
    assert not _runs(person)
    assert _of_ann(two.second.lxd) == before
