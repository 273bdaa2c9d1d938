"""What only a real LXD shows: time, load, bytes on their way, and what others do meanwhile."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.errors import CommandTimeout, Conflict, LxdError
from lab.lxd.client import connect
from lab.lxd.model import Image, InstanceSpec, Progress, State
from lab.lxd.session import local_socket
from tests.contract.conftest import Backend
from tests.support.tiny_root import make_unified

pytestmark = [
    pytest.mark.live,
    pytest.mark.parametrize("backend", ["real"], indirect=True, scope="session"),
]
ROOT = Path(__file__).parents[2]


def test_output_comes_while_the_command_runs(backend: Backend, box: str) -> None:
    heard: list[tuple[str, float]] = []
    began = time.monotonic()
    done = backend.lxd.run(
        box,
        ["sh", "-c", "echo one; echo bad >&2; sleep 2.5; echo two"],
        on_output=lambda text: heard.append((text, time.monotonic() - began)),
    )
    assert (done.stdout, done.stderr) == ("one\ntwo\n", "bad\n")
    assert [text for text, _ in heard] == ["one\n", "bad\n", "two\n"]
    assert heard[0][1] < 2
    assert heard[2][1] > 2.4


def test_a_character_cut_in_two_arrives_whole(backend: Backend, box: str) -> None:
    heard: list[str] = []
    script = r"printf '\303'; sleep 1.6; printf '\251'; sleep 1.2; printf '\345\233'"
    done = backend.lxd.run(box, ["sh", "-c", script], on_output=heard.append)
    assert done.stdout == "é\ufffd"
    assert heard == ["é", "\ufffd"]


def test_an_observer_that_fails_is_heard(backend: Backend, box: str) -> None:
    def fail(text: str) -> None:
        raise RuntimeError(text)

    with pytest.raises(RuntimeError, match="hello"):
        backend.lxd.run(box, ["echo", "hello"], on_output=fail)


def test_many_threads_lose_nothing(backend: Backend, box: str) -> None:
    def ask(number: int) -> str:
        script = f"echo {number}; echo e{number} >&2; exit {number % 7}"
        done = backend.lxd.run(box, ["sh", "-c", script])
        return f"{done.stdout}{done.stderr}{done.exit_code}"

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(160)))
    assert answers == [f"{number}\ne{number}\n{number % 7}" for number in range(160)]


def test_large_input_and_output_pass_unchanged(backend: Backend, box: str) -> None:
    content = bytes(range(32, 127)) * 11_038
    assert len(content) > 1 << 20
    assert backend.lxd.run(box, ["cat"], stdin=content).stdout.encode() == content


def test_input_leaves_no_trace(backend: Backend, box: str) -> None:
    done = backend.lxd.run(box, ["sh", "-c", "cat; echo; ls /run"], stdin=b"secret")
    assert done.stdout == "secret\n"
    instance = backend.lxd.instance(box)
    assert instance is not None
    assert "secret" not in str(instance.config)


def test_input_is_deleted_when_the_command_cannot_start(backend: Backend, made: str) -> None:
    with pytest.raises(LxdError):
        backend.lxd.run(made, ["true"], stdin=b"secret")
    backend.lxd.start(made)
    assert backend.lxd.run(made, ["ls", "/run"]).stdout == ""


def test_a_command_that_takes_too_long_is_ended(backend: Backend, box: str) -> None:
    began = time.monotonic()
    with pytest.raises(CommandTimeout) as caught:
        backend.lxd.run(box, ["sh", "-c", "seq 12; sleep 77"], timeout=1)
    assert time.monotonic() - began < 4
    assert str(caught.value) == (
        f"sh -c 'seq 12; sleep 77' in {box} timed out after 1 s and was killed.\n  "
        + "\n  ".join(str(number) for number in range(3, 13))
    )


def test_a_command_that_ignores_its_end_is_killed(backend: Backend, box: str) -> None:
    script = "trap '' TERM; while :; do sleep 1; done"
    began = time.monotonic()
    with pytest.raises(CommandTimeout) as caught:
        backend.lxd.run(box, ["sh", "-c", script], timeout=0.5)
    assert 5 < time.monotonic() - began < 10
    assert caught.value.brief == (
        "sh -c 'trap '\"'\"''\"'\"' TERM; while :; do sleep 1; done'"
        f" in {box} timed out after 0.5 s and was killed."
    )


def test_the_environment_is_sane_and_can_be_added_to(backend: Backend, box: str) -> None:
    done = backend.lxd.run(box, ["env"], env={"HTTP_PROXY": "http://proxy.example:3128"})
    assert {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
        "LANG=C.UTF-8",
        "HTTP_PROXY=http://proxy.example:3128",
    } <= set(done.stdout.splitlines())


def test_recorded_output_is_not_kept(backend: Backend, box: str) -> None:
    backend.lxd.run(box, ["echo", "hello"])
    logs = subprocess.run(
        ["lxc", "query", f"/1.0/instances/{box}/logs?project={backend.lxd.project}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "exec_" not in logs.stdout


def test_files_get_mode_and_owner_also_when_they_were_there(backend: Backend, box: str) -> None:
    def listed() -> str:
        return backend.lxd.run(box, ["stat", "-c", "%a %u %g", "/srv/f"]).stdout.strip()

    backend.lxd.write_file(box, "/srv/f", b"1", mode=0o644)
    assert listed() == "644 0 0"
    backend.lxd.write_file(box, "/srv/f", b"2", mode=0o600, uid=1000, gid=1001)
    assert listed() == "600 1000 1001"
    backend.lxd.write_file(box, "/srv/f", b"3", mode=0o755)
    assert listed() == "755 0 0"
    assert backend.lxd.run(box, ["stat", "-c", "%a %u", "/srv"]).stdout == "755 0\n"


def test_only_its_own_addresses_count(backend: Backend, box: str) -> None:
    script = (
        "ip addr add 192.0.2.7/24 dev eth0; ip link add docker0 type dummy;"
        " ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up"
    )
    backend.lxd.run(box, ["sh", "-c", script])
    assert backend.lxd.state(box).ipv4 == ("192.0.2.7",)
    assert backend.lxd.state(box).ipv6 == ()
    instance = backend.lxd.instance(box)
    assert instance is not None
    told = backend.lxd.local_states((instance,))[box]
    assert (told.ipv4, told.ipv6) == (("192.0.2.7",), ())


def test_stopping_what_will_not_stop_is_forced(backend: Backend, made: str) -> None:
    backend.lxd.write_file(
        made, "/sbin/init", b"#!/bin/sh\ntrap '' PWR TERM\nwhile :; do sleep 1; done\n", mode=0o755
    )
    backend.lxd.start(made)
    began = time.monotonic()
    backend.lxd.stop(made, timeout=1)
    assert 1 <= time.monotonic() - began < 10
    assert backend.lxd.state(made).state is State.STOPPED


def test_a_failed_start_shows_the_instances_log(backend: Backend, made: str) -> None:
    backend.lxd.update(made, config={"raw.lxc": "lxc.init.cmd = /no/such/init"})
    with pytest.raises(LxdError) as caught:
        backend.lxd.start(made)
    assert caught.value.brief == f"LXD could not start {made}."
    assert "No such file or directory" in (caught.value.details or "")
    assert "/no/such/init" in (caught.value.details or "")


def test_publishing_tells_of_its_progress_and_is_waited_for(
    backend: Backend, made: str, alias: str
) -> None:
    backend.lxd.start(made)
    # What cannot be compressed takes gzip long enough to be seen at it.
    filled = backend.lxd.run(made, ["dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=64"])
    assert filled.exit_code == 0
    backend.lxd.stop(made, timeout=5)
    told: list[Progress] = []
    published: list[Image] = []
    begun = threading.Event()

    def hear(progress: Progress) -> None:
        told.append(progress)
        begun.set()

    def publish() -> None:
        published.append(
            backend.lxd.publish(
                made, aliases=[alias], properties={}, compression="gzip", on_progress=hear
            )
        )

    worker = threading.Thread(target=publish)
    worker.start()
    assert begun.wait(30)
    backend.again().wait_until_idle(made, timeout=60)
    # Published as it is idle: the image is there without waiting for our own call.
    assert alias in backend.lxd.aliases()
    worker.join(30)
    assert [image.aliases for image in published] == [(alias,)]
    assert all(re.fullmatch(r"Image pack: .*\d+.*", one.text) for one in told)


def test_two_imports_of_one_tarball_are_one_image(backend: Backend, tmp_path: Path) -> None:
    unified = make_unified(tmp_path / "tiny.tar")
    first = backend.lxd.import_image(unified, None, properties={"a": "1"})
    try:
        second = backend.lxd.import_image(unified, None, properties={"b": "2"})
        assert second.fingerprint == first.fingerprint
        assert second.properties == {"os": "tiny", "origin": "metadata", "a": "1", "b": "2"}
        name = backend.unused()
        backend.lxd.create(InstanceSpec(name=name, image=first.fingerprint))
        backend.lxd.delete(name)
    finally:
        backend.lxd.delete_image(first.fingerprint)


def test_an_alias_made_by_another_meanwhile_is_moved(
    backend: Backend, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = backend.again()
    other.set_alias(alias, backend.image.fingerprint)
    monkeypatch.setattr(backend.lxd, "aliases", dict)
    backend.lxd.set_alias(alias, backend.image.fingerprint)
    monkeypatch.undo()
    assert backend.lxd.aliases()[alias] == backend.image.fingerprint


def test_the_environment_does_not_mislead(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    assert connect().server().version


def test_who_may_not_use_the_socket_is_told_what_to_do(backend: Backend) -> None:
    # Only after the imports, since the interpreter may lie where nobody else can read.
    script = """
import os, sys
from lab.errors import LxdUnreachable
from lab.lxd.client import connect
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    connect()
except LxdUnreachable as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == (
        f"nobody may not use LXD: permission denied on {local_socket()}.\n"
        "Next: sudo usermod -aG lxd nobody\n"
        "      then log out and in again\n"
    )


def test_a_conflict_is_not_retried_for_ever(backend: Backend, made: str, box: str) -> None:
    began = time.monotonic()
    with pytest.raises(Conflict):
        backend.lxd.rename(made, box)
    assert time.monotonic() - began < 2
