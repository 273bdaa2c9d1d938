"""What root inside an instance can do to who looks in: nothing that lasts, or costs the server."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab.errors import LxdError, Stuck, TooMuch
from lab.lxd.model import InstanceSpec, State
from lab.machine.container_processes import device_nodes, listens, users_of
from tests.contract.conftest import Backend
from tests.support.live_lab.lab import lxc

pytestmark = [
    pytest.mark.live,
    pytest.mark.parametrize("backend", ["real"], indirect=True, scope="session"),
]
LINE = "x" * 60


@pytest.fixture(scope="module")
def mallory(backend: Backend) -> Iterator[str]:
    """A running instance of somebody who means ill."""
    name = backend.unused()
    backend.lxd.create(InstanceSpec(name=name, image=backend.image.fingerprint))
    backend.lxd.start(name)
    yield name
    backend.lxd.delete(name)


def inside(backend: Backend, name: str, script: str) -> None:
    """As its root would type it."""
    lxc("exec", name, "--", "sh", "-c", script, project=backend.lxd.project)


def test_a_pipe_in_place_of_a_directory_holds_up_nobody(backend: Backend, mallory: str) -> None:
    inside(backend, mallory, "mkdir -p /usr/lib; busybox mkfifo /usr/lib/pipe")
    began = time.monotonic()
    with pytest.raises(LxdError) as caught:
        backend.lxd.list_directory(mallory, "/usr/lib/pipe")
    assert caught.value.details == "/usr/lib/pipe is not a directory."
    assert backend.lxd.last_written(mallory, "/usr/lib/pipe")
    assert time.monotonic() - began < 5


def test_a_pipe_in_place_of_a_file_costs_some_seconds_and_no_start(
    backend: Backend, mallory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend.lxd, "file_seconds", 3.0)
    inside(backend, mallory, "busybox mkfifo /etc/pipe")
    stuck = f"LXD timed out trying to read /etc/pipe in {mallory}: something in {mallory} blocks it"
    with pytest.raises(Stuck, match=stuck):
        backend.lxd.read_file(mallory, "/etc/pipe")
    # With LXD's own process still at that pipe, its start would never end.
    backend.lxd.stop(mallory, force=True)
    backend.lxd.start(mallory)
    assert backend.lxd.state(mallory).state is State.RUNNING


def test_what_another_tool_left_stuck_keeps_no_instance_from_its_start(
    backend: Backend, mallory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend.lxd, "start_seconds", 3.0)
    inside(backend, mallory, "busybox mkfifo /etc/other")
    pull = ["lxc", "file", "pull", f"--project={backend.lxd.project}", f"{mallory}/etc/other", "-"]
    # Of a running one, LXD's stop would wait for 30 s, too, before it says that it failed.
    backend.lxd.stop(mallory, force=True)
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(pull, stdout=subprocess.DEVNULL, timeout=3, check=False)
    backend.lxd.start(mallory)
    assert backend.lxd.state(mallory).state is State.RUNNING


def test_a_large_file_is_refused_before_it_is_read(backend: Backend, mallory: str) -> None:
    inside(backend, mallory, "busybox truncate -s 300G /etc/sparse")
    began = time.monotonic()
    with pytest.raises(TooMuch, match=r"larger than 16\.0 MiB"):
        backend.lxd.read_file(mallory, "/etc/sparse")
    assert backend.lxd.last_written(mallory, "/etc/sparse")
    assert time.monotonic() - began < 5


def test_a_large_directory_is_refused(backend: Backend, mallory: str) -> None:
    inside(
        backend,
        mallory,
        f"mkdir /many; cd /many; for n in $(seq 30000); do : >{LINE * 3}$n; done",
    )
    with pytest.raises(TooMuch, match=r"larger than 4\.0 MiB"):
        backend.lxd.list_directory(mallory, "/many")


@pytest.mark.parametrize("behind", ["", "&"], ids=["before us", "left behind"])
def test_a_flood_of_output_is_ended(backend: Backend, mallory: str, behind: str) -> None:
    script = f"#!/bin/sh\nyes {LINE} {behind}\n"
    inside(
        backend,
        mallory,
        "mkdir -p /usr/local/sbin; cat >/usr/local/sbin/timeout <<'E'\n"
        f"{script}E\nchmod 755 /usr/local/sbin/timeout",
    )
    init = backend.lxd.init_pid(mallory)
    assert init is not None
    if behind:
        with suppress(TooMuch):  # it may have written that much before anybody looks
            assert backend.lxd.run(mallory, ["true"]).exit_code == 0
    else:
        with pytest.raises(TooMuch) as caught:
            backend.lxd.run(mallory, ["true"])
        assert str(caught.value) == (
            f"true in {mallory} wrote more than 16.0 MiB.\n  Another program ended it."
        )
    # Nobody has a file of the server's open for writing any more.
    assert users_of(init, "/") != ()
    assert not any("yes" in user for user in users_of(init, "/"))
    inside(backend, mallory, "rm /usr/local/sbin/timeout")


def test_the_host_tells_what_is_in_there(backend: Backend, mallory: str) -> None:
    init = backend.lxd.init_pid(mallory)
    assert init is not None
    inside(backend, mallory, "(exec 7</dev/zero; exec sleep 600) >/dev/null 2>&1 &")
    inside(backend, mallory, "busybox nc -l -p 4242 >/dev/null 2>&1 </dev/zero &")
    deadline = time.monotonic() + 10
    while not listens(init, 4242) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert listens(init, 4242)
    assert not listens(init, 4243)
    (sleeper,) = (one for one in users_of(init, "/dev/zero") if one.startswith("sleep"))
    number = sleeper.removeprefix("sleep (").removesuffix(")")
    inside(backend, mallory, f"kill {number}")  # as it is called inside
    assert {"zero", "null"} <= device_nodes(init)
    assert "nvidia0" not in device_nodes(init)
