"""GPUs for containers, from `--gpus` to the device nodes inside, on the simulated host."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.gpu_containers import (
    BUS_IDS,
    CONTROL,
    destroy,
    free_gpus,
    host_gpus,
    inside,
    nodes,
    nodes_of,
)
from tests.support.live_lab.gpu_host import GPUS
from tests.support.live_lab.lab import Lab, lxc, query
from tests.support.live_lab.standins import OLD

A, B, C, D = GPUS
WISHES = {
    "gt-a": ("1", [A]),
    "gt-b": ("1", [B]),
    "gt-c": ("2", [C, D]),
    "gt-d": ("all", [A, B, C, D]),
    "gt-e": ("none", []),
    "gt-f": (C, [C]),
    "gt-g": ("idx:3", [D]),
}


@pytest.fixture(scope="module")
def public(key: Path) -> str:
    return str(key.with_suffix(".pub"))


@pytest.fixture(scope="module")
def gpus(lab: Lab) -> Iterator[None]:
    with free_gpus(lab):
        yield


@pytest.fixture(scope="module")
def given(lab: Lab, public: str, gpus: None) -> Iterator[dict[str, dict[str, Any]]]:
    """The seven containers, as `provision --json` told of them."""

    def make(name: str) -> dict[str, Any]:
        wish, _ = WISHES[name]
        said = lab.succeed("provision", name, "--gpus", wish, "--key", public, "--json")
        return dict(said.document)

    try:
        # A count gives what is used least: those come one after the other.
        counted = {name: make(name) for name in ("gt-a", "gt-b", "gt-c")}
        named = [name for name in WISHES if name not in counted]
        with ThreadPoolExecutor(max_workers=len(named)) as pool:
            yield counted | dict(zip(named, pool.map(make, named), strict=True))
    finally:
        destroy(lab, list(WISHES))


def test_everybody_gets_the_gpus_asked_for_and_no_other(
    lab: Lab, given: dict[str, dict[str, Any]]
) -> None:
    for name, (_, pcis) in WISHES.items():
        assert given[name]["gpus"] == pcis
        assert nodes(name) == nodes_of(pcis)
        devices = query(f"/1.0/instances/{name}")["devices"].values()
        assert sorted(one["pci"] for one in devices if one["type"] == "gpu") == pcis
    users = {gpu["pci"]: gpu["users"] for gpu in host_gpus(lab)}
    assert users == {
        pci: [name for name, (_, pcis) in WISHES.items() if pci in pcis] for pci in GPUS
    }
    table = lab.succeed("host.gpus").out
    assert "gt-c, gt-d, gt-f" in next(line for line in table.splitlines() if C in line)


def test_nvidia_smi_inside_sees_them(given: dict[str, dict[str, Any]]) -> None:
    for name, (_, pcis) in WISHES.items():
        if pcis:
            seen = [f"0000{line.lower()[8:]}" for line in inside(name, *BUS_IDS).splitlines()]
            assert seen == pcis


def test_the_gpu_of_a_container_names_its_gpus_and_its_driver(
    lab: Lab, given: dict[str, dict[str, Any]]
) -> None:
    assert (given["gt-c"]["driver"], given["gt-c"]["drift"]) == (OLD, False)
    assert [(gpu["index"], gpu["uuid"]) for gpu in given["gt-c"]["cards"]] == [
        (2, GPUS[C]),
        (3, GPUS[D]),
    ]
    # How wide the labels are depends on the longest of them.
    lines = [" ".join(line.split()) for line in lab.succeed("show", "gt-c").out.splitlines()]
    model = given["gt-c"]["cards"][0]["model"]
    assert f"gpu 2 {C} {model}" in lines
    assert f"driver {OLD}" in lines
    config = query("/1.0/instances/gt-c")["config"]
    assert config["user.lab.gpus"] == f"{C}={GPUS[C]},{D}={GPUS[D]}"


# Where the kernel lets nobody make a node there is nothing for a devices cgroup to refuse: LXD 5.0
# gives unprivileged containers none.
_MAKE_NODES = """
make() { [ -e "$1" ] || mknod "$1" c 195 "$2" 2>/dev/null && echo "$1"; }
for number in 0 1 2 3; do
    for place in /dev /root /tmp; do make $place/nvidia$number $number; done
done
unshare --user --map-root-user --mount sh -c 'mount -t tmpfs t /mnt && mknod /mnt/n c 195 0' \\
    2>/dev/null && echo made in another namespace
for node in /dev/nvidia[0-9]*; do
    # What the kernel says of a node that may be opened and has no driver behind it.
    [ ! -c $node ] || cat $node 2>&1 | grep -q 'No such device or address' || echo "$node is barred"
done
"""


@pytest.mark.parametrize("name", ["gt-b", "gt-e"])
def test_nobody_makes_a_node_for_a_gpu_of_others(
    given: dict[str, dict[str, Any]], name: str
) -> None:
    before = nodes(name)
    assert inside(name, "sh", "-c", _MAKE_NODES).split() == [
        f"/dev/{one}" for one in sorted(before - CONTROL)
    ]
    assert nodes(name) == before


def test_neither_does_a_container_that_docker_runs_in(lab: Lab, public: str, gpus: None) -> None:
    """With mknod intercepted it is LXD that decides, and it makes no card's."""
    try:
        lab.succeed("provision", "gt-h", "--template", "docker", "--gpus", B, "--key", public)
        assert query("/1.0/instances/gt-h")["config"]["security.syscalls.intercept.mknod"] == "true"
        assert inside("gt-h", "sh", "-c", _MAKE_NODES).split() == ["/dev/nvidia1"]
    finally:
        destroy(lab, ["gt-h"])


def test_gpus_come_and_go_while_it_runs(
    lab: Lab, given: dict[str, dict[str, Any]], public: str
) -> None:
    boot = inside("gt-e", "cat", "/proc/sys/kernel/random/boot_id")
    for wish, pcis in (("2", None), (f"{B},{D}", [B, D]), (B, [B]), ("none", [])):
        shown = lab.succeed("provision", "gt-e", "--gpus", wish, "--json").document
        wanted = shown["gpus"] if pcis is None else pcis
        assert shown["gpus"] == wanted
        assert nodes("gt-e") == nodes_of(wanted)
        before = query("/1.0/instances/gt-e")
        again = lab.succeed("provision", "gt-e", "--gpus", ",".join(wanted) or "none", "--plan")
        assert "nothing to do" in again.out
        assert query("/1.0/instances/gt-e") == before
    assert inside("gt-e", "cat", "/proc/sys/kernel/random/boot_id") == boot
    said = lab.invoke("provision", "gt-e", "--gpus", "1", "--memory", "1GiB", "--key", public)
    assert said.code == 2
    assert "memory: the lab's default now, 1.0 GiB requested" in said.err
    assert nodes("gt-e") == set()


def test_a_device_by_lxds_own_number_is_replaced(
    lab: Lab, given: dict[str, dict[str, Any]]
) -> None:
    lxc("config", "device", "add", "gt-e", "gpu0", "gpu", "id=2")
    assert nodes("gt-e") > nodes_of([B])
    assert lab.succeed("show", "gt-e", "--json").document["gpus"] == list(GPUS)
    lab.succeed("provision", "gt-e", "--gpus", B)
    assert nodes("gt-e") == nodes_of([B])
    lab.succeed("provision", "gt-e", "--gpus", "none")


def test_a_gpu_that_is_gone_is_told_and_mended(lab: Lab, given: dict[str, dict[str, Any]]) -> None:
    """As when it was pulled out: the container was given one at an address where none is."""
    config = query("/1.0/instances/gt-g")["config"]
    lxc("stop", "--force", "gt-g")
    for device, values in query("/1.0/instances/gt-g")["devices"].items():
        if values["type"] == "gpu":
            lxc("config", "device", "set", "gt-g", device, "pci=0000:e1:00.0")
    moved = config["user.lab.gpus"].replace(D, "0000:e1:00.0")
    lxc("config", "set", "gt-g", f"user.lab.gpus={moved}")
    said = lab.invoke("start", "gt-g")
    assert (said.code, said.err) == (
        3,
        "error: gt-g cannot start: its GPU 0000:e1:00.0 is not at the old address.\n"
        f"  0000:e1:00.0 ({GPUS[D]}) is at {D} now\n"
        f"Next: invoke provision gt-g --gpus {D}\n"
        "      List all GPUs: invoke host.gpus\n",
    )
    lab.succeed("provision", "gt-g", "--gpus", D)
    lab.succeed("start", "gt-g")
    assert nodes("gt-g") == nodes_of([D])
