"""`smoke-images`, and what the checks find, on real instances."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from images.checks.network import read_banner
from tests.support.live_lab.lab import ROOT, Lab, instances, query, ssh, stable
from tests.support.live_lab.making import BUILD_PROJECT, PREFIX
from tests.support.live_lab.tiny import STABLE, Tiny, litter, plainly


def _aliases() -> dict[str, str]:
    """This lab's; others may be building on this machine."""
    every = query("/1.0/images/aliases?recursion=1")
    return {one["name"]: one["target"] for one in every if one["name"].startswith(f"{PREFIX}/")}


def _smoke_of(alias: str) -> str:
    return str(query(f"/1.0/images/{stable(alias)}")["properties"]["lab.smoke"])


def test_what_users_get_passes_again(lab: Lab) -> None:
    before = _aliases()
    said = lab.succeed("smoke-images", "--only", "docker")
    cells = [line.split() for line in said.out.splitlines() if "passed" in line]
    unpassed = {row[0]: int(row[4]) - int(row[2]) for row in cells}
    # What has nothing to try here says so, and is told apart: no toolkit, so no GPUs in docker.
    (told,) = [
        line for line in said.err.splitlines() if "docker-nested: " in line and "skipp" in line
    ]
    assert "docker gives the GPUs on: nothing to give on: the container toolkit is not" in told
    assert unpassed == {"docker-nested": told.count("; ") + 1}
    assert _aliases() == before
    assert _smoke_of(f"{PREFIX}/docker-nested") == "passed"
    assert [name for name in instances(BUILD_PROJECT) if name.startswith("check-")] == []


@pytest.fixture
def harsh(lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """The same lab, where the definition of base asks for what it cannot show."""
    (tmp_path / "definitions").mkdir()
    checks = [
        {"name": "address", "kind": "address"},
        {"name": "made to fail", "kind": "command", "run": ["sh", "-c", "echo no; exit 3"]},
    ]
    definition = tmp_path / "definitions" / "base.yaml"
    head = "name: base\ndescription: x\ncloud-init: base.yaml.j2\n"
    definition.write_text(head + f"checks: {json.dumps(checks)}\n")
    harsh = lab.also(tmp_path / "lab.yaml", definitions=tmp_path / "definitions")
    yield harsh
    definition.write_text(head + f"checks: {json.dumps(checks[:1])}\n")
    harsh.succeed("smoke-images", "--only", "base")
    assert _smoke_of(f"{PREFIX}/base") == "passed"


@pytest.mark.plain
def test_a_check_that_fails_is_exit_5_and_the_way_back(lab: Lab, harsh: Lab) -> None:
    before = _aliases()
    said = harsh.invoke("smoke-images")
    assert said.code == 5
    assert re.search(r"base +\S+ +4 of 5 +FAILED +\d+ +made to fail: exit code 3", said.out)
    assert re.search(r"docker-nested +\S+ +0 of 0 +not checked", said.out)
    error = said.err[said.err.index("error: ") :]
    # The desktops are among them where their tests came first.
    current = sum(name.count("/") == 1 for name in before)
    assert plainly(error) == (
        f"error: 1 of {current} current releases failed their checks; users still get them.\n"
        "  base, made to fail: exit code 3, expected 0: no\n"
        "Next: Give users the previous release of base: invoke rollback base\n"
        "      Read the full log: {logs}/base.log\n"
    )
    assert _aliases() == before
    assert _smoke_of(f"{PREFIX}/base") == "failed"
    states = {
        one["name"]: one["versions"][0]["state"]
        for one in lab.succeed("images", "--json").document["templates"]
        if one["versions"]
    }
    assert states["base"] == "current"


@pytest.mark.plain
def test_ci_smoke_images_passes_the_exit_code_on(harsh: Lab) -> None:
    ended = subprocess.run(
        [str(ROOT / "ci" / "smoke-images"), "--only", "base"],
        env=harsh.environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 5
    assert ended.stdout.splitlines()[-1].startswith(
        "smoke-images: FAILED: users have an image that does not pass its checks, "
    )


@pytest.mark.plain
def test_an_image_with_stubs_links_to_nowhere_and_powers_is_not_for_users(tiny: Tiny) -> None:
    meant = {"allow-special": ["/usr/local/bin/meant"]}
    tiny.define(checks=[{"name": "lint", "kind": "lint"}], **meant)
    tiny.boot_with(
        "bootcmd:\n"
        "  - touch /usr/lib/libnvidia-ml.so.535.1\n"
        "  - ln -s libcuda.so.535.1 /usr/lib/libcuda.so.1\n"
        "  - ln -s /opt/gone /usr/local/bin/tool\n"
        "  - install -m 4755 /usr/bin/id /usr/local/bin/mine\n"
        "  - install -m 4755 /usr/bin/id /usr/local/bin/meant\n"
    )
    said = tiny.lab.invoke("build-images")
    assert said.code == 5
    # Between them are links of what the tests take out of their source to be quick.
    (told,) = (line for line in said.err.splitlines() if line.startswith("  lint: "))
    assert {
        "/usr/lib/libnvidia-ml.so.535.1 is empty",
        "/usr/lib/libcuda.so.1 leads nowhere, to libcuda.so.535.1",
        "/usr/local/bin/tool leads nowhere, to /opt/gone",
    } <= set(told.removeprefix("  lint: ").split("; "))
    assert (
        "  special: these belong to no package: /usr/local/bin/mine (set-uid, of no package)"
        in said.err
    )
    assert stable(STABLE) is None
    assert [name for name in litter() if "instance" in name] == []


@pytest.mark.plain
def test_a_port_that_a_user_s_docker_publishes_is_reached_from_outside(
    pair: tuple[dict[str, Any], dict[str, Any]], key: Path
) -> None:
    address = pair[0]["ipv4"][0]
    script = (ROOT / "images" / "scripts" / "check-docker.sh").read_text()
    user = f"{pair[0]['owner']}"
    # Without sudo: the account is in docker's group.
    said = ssh(address, user, key, ["sh", "-s", "publish"], stdin=script)
    assert said.code == 0, said.err
    heard = read_banner((address,), 8080, "^hello from a published port$", timeout=30)
    assert heard.stdout == "hello from a published port\n", heard.stderr
    ssh(address, user, key, ["docker", "rm", "--force", "labstamp-publish"])
