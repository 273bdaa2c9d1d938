"""A server whose default profile somebody else wrote: read, never inherited (cases A1 to A4)."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.lab import Lab, instances, lxc, query
from tests.support.live_lab.tiny import PROJECT, Tiny

pytestmark = pytest.mark.plain

OLD = 200 * 24 * 3600
"""Seconds; what is older than three months was once taken off the package cache."""
BOB, COPY = "lt-foreign", "lt-foreign-copy"


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    """Shared directories of a lab, with what a cleaning would like to delete."""
    for name in ("public/cuda-repo.deb", "public/notes.txt", "data/.cache/model.bin"):
        file = tmp_path / "nas" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        then = time.time() - OLD
        os.utime(file, (then, then))
    for directory in (tmp_path / "nas" / "public", tmp_path / "nas" / "data"):
        directory.chmod(0o777)
    return tmp_path / "nas"


def _content(directory: Path) -> dict[str, tuple[str, float]]:
    return {
        str(path.relative_to(directory)): (path.read_text(), path.stat().st_mtime)
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def their_profile(nas: Path) -> Iterator[None]:
    """After a university lab's published guide, and worse."""
    before = lxc("profile", "show", "default")
    for disk, path in (("public", "/mnt/nas-public"), ("data", "/root/nas-data")):
        lxc("profile", "device", "add", "default", f"nas-{disk}", "disk",
            f"source={nas / disk}", f"path={path}")  # fmt: skip
    for setting in ("boot.autostart=true", "security.nesting=true", "security.privileged=true"):
        lxc("profile", "set", "default", setting)
    lxc("profile", "set", "default", "limits.memory=64MiB")
    yield
    for key in ("boot.autostart", "security.nesting", "security.privileged", "limits.memory"):
        lxc("profile", "unset", "default", key)
    for disk in ("public", "data"):
        lxc("profile", "device", "remove", "default", f"nas-{disk}")
    assert lxc("profile", "show", "default") == before


class Watch:
    """What the instances of the build project have, seen again and again while a build runs."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, Any]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for one in query(f"/1.0/instances?recursion=1&project={PROJECT}"):
                self.seen.setdefault(one["name"], one)


def test_nothing_of_it_is_in_a_builder_and_nothing_of_theirs_is_touched(
    tiny: Tiny, nas: Path, their_profile: None
) -> None:
    before = _content(nas)
    with Watch() as watch:
        tiny.lab.succeed("build-images")
    assert _content(nas) == before
    assert {"builder-tiny", "check-tiny-1"} <= set(watch.seen)
    for name, one in watch.seen.items():
        assert one["profiles"] == [], name
        config, devices = one["expanded_config"], one["expanded_devices"]
        assert config["security.privileged"] == "false", name
        assert config["boot.autostart"] == "false", name
        assert "limits.memory" not in config, name
        assert set(devices) <= {"root", "eth0", "aptcache"}, name
    # Builders are where no user's container is; judged is what users get.
    builder, judged = (
        watch.seen[name]["expanded_devices"]["eth0"] for name in ("builder-tiny", "check-tiny-1")
    )
    assert builder["network"] == f"{judged['network']}b"
    assert judged["security.ipv4_filtering"] == "true"
    # What a user gets is what an admin's profile says, but never more rights.
    _stamp(tiny)
    assert _content(nas) == before


def _stamp(tiny: Tiny) -> None:
    """And a copy, whose cleaning removes files below /root, where a disk of theirs is mounted."""
    lxc("profile", "unset", "default", "limits.memory")
    destroy(tiny.lab, [BOB, COPY])
    try:
        gpu = tiny.lab.succeed(
            "provision", BOB, "--template", "tiny", "--password", "--gpus", "none", "--json"
        ).document
        assert {"nas-public", "nas-data"} <= set(gpu["profile"]["devices"])
        config = query(f"/1.0/instances/{BOB}")["config"]
        assert config["security.privileged"] == "false"
        tiny.lab.succeed("clone", BOB, COPY, "--password", "--gpus", "none")
        for name in (BOB, COPY):
            shown = lxc("exec", name, "--", "cat", "/mnt/nas-public/notes.txt")
            assert shown == "public/notes.txt", name
            assert lxc("exec", name, "--", "ls", "-A", "/root/nas-data") == ".cache\n", name
    finally:
        destroy(tiny.lab, [BOB, COPY])


def test_a_raw_key_of_the_profile_is_refused_before_anything_is_made(lab: Lab) -> None:
    lxc("profile", "set", "default", "raw.idmap", "both 1000 1000")
    try:
        said = lab.invoke("provision", BOB, "--template", "base", "--password")
    finally:
        lxc("profile", "unset", "default", "raw.idmap")
    assert said.code == 2
    assert said.err.startswith(
        "error: The default profile sets raw.idmap, and each container would get it."
    )
    assert BOB not in instances("default")


def test_a_body_that_ran_is_not_trusted_and_what_is_theirs_stays(tiny: Tiny) -> None:
    """It ran by itself, as with `boot.autostart` in the profile of an LXD that was restarted.

    And somebody has an instance of a name that builds need.
    """
    tiny.lab.succeed("build-images")
    tiny.define(checks=[{"name": "address", "kind": "address"}])
    trusted = tiny.lab.succeed("build-images", "--plan")
    assert "tiny: build (its body is kept), " in trusted.out
    lxc("start", "body-tiny", project=PROJECT)
    lxc("stop", "--force", "body-tiny", project=PROJECT)
    distrusted = tiny.lab.succeed("build-images", "--plan")
    assert "tiny: build, " in distrusted.out

    lxc("init", "--empty", "builder-tiny", project=PROJECT)
    try:
        said = tiny.lab.invoke("build-images")
        assert said.code == 4
        theirs = "labstamp did not make the instance builder-tiny in the project lttiny-build."
        assert theirs in said.err
        assert "builder-tiny" in instances(PROJECT)
    finally:
        lxc("delete", "--force", "builder-tiny", project=PROJECT)


def _source_name() -> str:
    (name,) = (name for name in instances(PROJECT) if name.startswith("source-"))
    return name


def test_a_source_whose_root_disk_has_another_name(tiny: Tiny, source: dict[str, str]) -> None:
    """Of a container that somebody made with a disk, a NIC and a share of its own."""
    name = "ft-odd"
    pool = json.loads(lxc("query", "/1.0/profiles/default"))["devices"]["root"]["pool"]
    lxc("copy", source["name"], name)
    try:
        raw = query(f"/1.0/instances/{name}")
        devices = {"system": {"type": "disk", "path": "/", "pool": pool}}
        devices["share"] = {"type": "disk", "source": "/srv", "path": "/mnt"}
        body = {"config": {"boot.autostart": "true"}, "devices": devices, "profiles": []}
        lxc("query", "-X", "PUT", "-d", json.dumps({**raw, **body}), f"/1.0/instances/{name}")
        tiny.set(source={"kind": "instance", "name": name})
        tiny.lab.succeed("build-images")
        kept = query(f"/1.0/instances/{_source_name()}?project={PROJECT}")
        assert set(kept["devices"]) == {"root", "eth0"}
        assert kept["config"]["boot.autostart"] == "false"
    finally:
        lxc("delete", "--force", name)
