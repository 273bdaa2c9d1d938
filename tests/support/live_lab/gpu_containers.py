"""Users' containers with GPUs: what the tests about them have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.live_lab.gpu_host import GPUS, GpuHost
from tests.support.live_lab.lab import Lab, Said, lxc, query

CONTROL = {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"}
BUS_IDS = ("nvidia-smi", "--query-gpu=pci.bus_id", "--format=csv,noheader")


@contextmanager
def free_gpus(lab: Lab) -> Iterator[None]:
    """What other tests' containers have is lent meanwhile."""
    GpuHost().insist()
    lent: dict[str, list[str]] = {}
    for gpu in host_gpus(lab):
        for user in gpu["users"]:
            lent.setdefault(user, []).append(gpu["pci"])
    for user in lent:
        lab.succeed("provision", user, "--gpus", "none")
    try:
        yield
    finally:
        for user, pcis in lent.items():
            lab.succeed("provision", user, "--gpus", ",".join(pcis))


def all_at_once(lab: Lab, names: list[str], public: str) -> dict[str, Said]:
    def one(name: str) -> Said:
        return lab.invoke("provision", name, "--gpus", "1", "--key", public, "--json")

    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def with_settings(lab: Lab, directory: Path, **settings: object) -> Lab:
    """LAB with other SETTINGS."""
    path = directory / "lab.yaml"
    path.write_text(json.dumps({**json.loads(lab.settings.read_text()), **settings}))
    return Lab(settings=path, root=lab.root)


def host_gpus(lab: Lab) -> list[dict[str, Any]]:
    gpus: list[dict[str, Any]] = lab.succeed("host.gpus", "--json").document["cards"]
    return gpus


def inside(name: str, *argv: str) -> str:
    return lxc("exec", name, "--", *argv)


def nodes(name: str) -> set[str]:
    """NVIDIA's nodes inside, but for the one that the stand-in needs."""
    found = inside(name, "ls", "/dev").split()
    return {one for one in found if one.startswith("nvidia") and "simulated" not in one}


def nodes_of(pcis: list[str]) -> set[str]:
    minors = {pci: minor for minor, pci in enumerate(GPUS)}
    return {f"nvidia{minors[pci]}" for pci in pcis} | (CONTROL if pcis else set())


def exists(name: str) -> bool:
    return any(one["name"] == name for one in query("/1.0/instances?recursion=1"))


def destroy(lab: Lab, names: Sequence[str]) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda name: lab.invoke("destroy", name, "--yes", "--purge"), names))
