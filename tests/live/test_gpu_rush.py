"""Requests for GPUs at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_lab.gpu_containers import (
    all_at_once,
    destroy,
    exists,
    free_gpus,
    host_gpus,
    nodes,
    nodes_of,
    with_settings,
)
from tests.support.live_lab.gpu_host import GPUS
from tests.support.live_lab.lab import Lab


@pytest.fixture(scope="module")
def public(key: Path) -> str:
    return str(key.with_suffix(".pub"))


@pytest.fixture(scope="module")
def gpus(lab: Lab) -> Iterator[None]:
    with free_gpus(lab):
        yield


def test_twenty_at_once_share_four_gpus_evenly(
    lab: Lab, public: str, tmp_path: Path, gpus: None
) -> None:
    rush = with_settings(lab, tmp_path, gpus={"max-users-per-card": 4})
    names = [f"gt-{number}" for number in range(20)]
    try:
        said = all_at_once(rush, names, public)
        users = {gpu["pci"]: gpu["users"] for gpu in host_gpus(lab)}
        made = [name for name in names if said[name].code == 0]
        assert [one.err for one in said.values() if one.code not in {0, 3}] == []
        assert len(made) == 16
        assert {pci: len(names) for pci, names in users.items()} == dict.fromkeys(GPUS, 4)
        for name in made:
            (pci,) = said[name].document["gpus"]
            assert nodes(name) == nodes_of([pci])
        for name in set(names) - set(made):
            assert said[name].code == 3
            assert "1 GPU is requested, none available." in said[name].err
            assert all(pci in said[name].err for pci in GPUS)
            assert not exists(name)
    finally:
        destroy(lab, names)


def test_the_last_gpu_goes_to_one_of_two(lab: Lab, public: str, tmp_path: Path, gpus: None) -> None:
    alone = with_settings(lab, tmp_path, gpus={"policy": "exclusive"})
    names, last = ["gt-x", "gt-y"], list(GPUS)[-1]
    try:
        alone.succeed("provision", "gt-z", "--gpus", "3", "--key", public)
        said = all_at_once(alone, names, public)
        assert sorted(one.code for one in said.values()) == [0, 3]
        winner, loser = sorted(names, key=lambda name: said[name].code)
        assert said[winner].document["gpus"] == [last]
        assert f"3  {last}  {winner}" in said[loser].err
        assert not exists(loser)
    finally:
        destroy(lab, [*names, "gt-z"])
