"""Builds that something comes across: another build, a network or an LXD that goes away."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.support.live_lab.gpu_host import kill_and_start_lxd
from tests.support.live_lab.lab import lxc
from tests.support.live_lab.tiny import PROJECT, Tiny, at, litter, while_busy_with

pytestmark = pytest.mark.plain

# apt gives a dead connection up after half a minute, three times; a test need not wait for that.
_IMPATIENT_APT = """\
write_files:
  - path: "/etc/apt/apt.conf.d/99impatient"
    content: |
      Acquire::Retries "0";
      Acquire::http::Timeout "5";
      Acquire::http::ConnectionAttemptDelayMsec "100";
      APT::Update::Pre-Invoke {"touch /run/apt-begins; sleep 3";};
package_update: true
packages: ["tree"]
"""


def test_a_second_build_waits_and_finds_nothing_to_do(tiny: Tiny) -> None:
    begun = threading.Event()
    first: list[int] = []

    def at_work(line: str) -> bool:
        # Its lock is taken before the first phase.
        if not at("source")(line):
            return False
        begun.set()
        return True

    def build() -> None:
        first.append(tiny.lab.signal_at(None, at_work, "build-images").code)

    thread = threading.Thread(target=build)
    thread.start()
    assert begun.wait(60)
    second = tiny.lab.invoke("build-images")
    thread.join()
    assert first == [0]
    assert second.code == 0, second.err
    assert 'Waiting for "build-images" (process ' in second.err
    assert second.out.splitlines()[-1] == "Nothing to do."


def test_a_network_that_goes_away_in_mid_apt_is_told_and_leaves_nothing(tiny: Tiny) -> None:
    tiny.boot_with(_IMPATIENT_APT)

    def cut(line: str) -> bool:
        if not at("cloud-init")(line):
            return False
        wait = "until [ -e /run/apt-begins ]; do sleep 0.1; done"
        lxc("exec", "builder-tiny", "--", "timeout", "60", "sh", "-c", wait, project=PROJECT)
        lxc("config", "device", "remove", "builder-tiny", "eth0", project=PROJECT)
        return True

    said = tiny.lab.signal_at(None, cut, "build-images")
    assert said.code == 2, said.err
    assert "error: tiny: the builder cannot reach the apt mirror.\n" in said.err
    assert tiny.release() is None
    assert litter() == []
    tiny.boot_with("")
    tiny.lab.succeed("build-images")
    assert tiny.release() is not None
    assert litter() == []


@pytest.mark.parametrize(
    "reached",
    [
        pytest.param(at("cloud-init"), id="cloud-init"),
        pytest.param(while_busy_with("image", "publish"), id="publish"),
        pytest.param(at("check"), id="check"),
    ],
)
def test_an_lxd_that_dies_in_mid_build_is_told_and_the_next_run_goes_on(
    tiny: Tiny, reached: Callable[[str], bool]
) -> None:
    def dies(line: str) -> bool:
        if not reached(line):
            return False
        kill_and_start_lxd()
        return True

    said = tiny.lab.signal_at(None, dies, "build-images")
    assert said.code == 4, said.err
    assert "\nerror: LXD is not running: nothing answers at " in said.err
    assert "Traceback" not in said.err
    assert tiny.release() is None
    tiny.lab.succeed("build-images")
    assert tiny.release() is not None
    assert litter() == []
