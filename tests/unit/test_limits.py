"""What one container may take where nobody asked: the lab's limits, whose word counts more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.errors import InputError
from lab.host_gpus import HostGpus
from lab.lxd.model import Pool, Profile, Server
from lab.machine.host_size import HostSize
from lab.settings.limits import LimitSettings, share_of
from lab.settings.settings import Settings, load_settings
from provision.create.defaults import default_limits
from provision.create.facts import Facts
from provision.create.gpu_facts import GpuFacts

GIB = 1 << 30


def facts(limits: LimitSettings, profile: dict[str, str] | None = None, **more: Any) -> Facts:
    usual: dict[str, Any] = {"host": HostSize(memory_bytes=256 * GIB, pids=4194304)}
    server = Server(version="5.0.2", api_extensions=frozenset(), name="lab")
    host_gpus = HostGpus(gpus=(), driver=None, server=server, settings=Settings())
    return Facts(
        server=server,
        gpus=GpuFacts(host=host_gpus),
        profile=Profile(name="default", config=profile or {}),
        pool=Pool(name="default", driver="btrfs"),
        builder="",
        limits=limits,
        **{**usual, **more},
    )


def written(**keys: Any) -> LimitSettings:
    return LimitSettings.model_validate(keys)


def test_without_a_word_half_of_the_memory_is_left_and_a_bomb_ends_somewhere() -> None:
    assert default_limits("base", facts(LimitSettings())) == {
        "limits.memory": "128GiB",
        "limits.processes": "20000",
    }


def test_a_small_machine() -> None:
    """Without systemd there are 32768 process ids; and below 256 MiB nothing boots."""
    small = facts(LimitSettings(), host=HostSize(memory_bytes=400 << 20, pids=32768))
    assert default_limits("base", small) == {
        "limits.memory": "256MiB",
        "limits.processes": "8192",
    }


def test_a_server_elsewhere_counts_its_memory_itself() -> None:
    elsewhere = facts(LimitSettings(), host=HostSize())
    assert default_limits("base", elsewhere)["limits.memory"] == "50%"
    sized = facts(written(memory="64GiB"), host=HostSize())
    assert default_limits("base", sized)["limits.memory"] == "64GiB"


def test_a_template_has_its_own() -> None:
    limits = written(memory="none", templates={"xfce-xrdp": {"memory": "16GiB"}})
    assert default_limits("xfce-xrdp", facts(limits))["limits.memory"] == "16GiB"
    assert "limits.memory" not in default_limits("base", facts(limits))


def test_a_size_beyond_the_host_is_all_of_it() -> None:
    assert default_limits("base", facts(written(memory="1TiB")))["limits.memory"] == "256GiB"


def test_what_the_profile_limits_stays_unless_lab_yaml_says_it() -> None:
    profile = {"limits.memory": "8GiB", "limits.processes": "900"}
    assert default_limits("base", facts(LimitSettings(), profile)) == {}
    said = facts(written(memory="32GiB"), profile)
    assert default_limits("base", said) == {"limits.memory": "32GiB"}
    one = facts(written(templates={"base": {"processes": 5000}}), profile)
    assert default_limits("base", one) == {"limits.processes": "5000"}
    assert default_limits("docker-nested", one) == {}


@pytest.mark.parametrize(
    ("memory", "total", "share"),
    [("50%", 31 * GIB, 15 * GIB), ("25%", 2 * GIB + 5, 512 << 20), ("16GiB", 31 * GIB, None)],
)
def test_a_share_is_a_round_number(memory: str, total: int, share: int | None) -> None:
    assert share_of(memory, total) == share


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("limits: {memory: 0%}", "memory: must be a share such as 50%, a size such as"),
        ("limits: {memory: 200%}", "memory: must be a share"),
        ("limits: {memory: 64}", "memory: must be a share"),
        ("limits: {processes: 20}", "processes: must be a number, 500 or more, or none"),
        ("limits: {processes: yes}", "processes: must be a number"),
        ("limits: {templates: {base: {memory: much}}}", "memory: must be a share"),
        ("limits: {tasks: 5}", "tasks"),
    ],
)
def test_what_cannot_be_is_told_at_its_line(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "lab.yaml").write_text(f"pool: default\n{line}\n")
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, {})
    assert "lab.yaml:2" in str(caught.value)
    assert told in str(caught.value)
