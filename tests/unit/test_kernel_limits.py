"""Limits of the kernel: raised by a file of ours, never lowered, and known to host.check."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from host.finding import Status
from host.machine import Machine
from host.setup.actions import RaiseLimits
from host.setup.setup import set_up
from host.units.kernel_limits import FILE, WANTED, findings, read_limits, too_low, written
from lab.errors import InputError
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.builders.machines import files_of, machine_in, write
from tests.support.fake_lxd.lxd import FakeLxd

KEYS = "kernel.keys.maxkeys"
MAPS = "vm.max_map_count"


class Tape(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def kernel(machine: Machine, **values: int) -> None:
    """What the kernel says; with `__` for a dot."""
    for key, value in values.items():
        write(machine.root, f"/proc/sys/{key.replace('__', '/')}", f"{value}\n")


@pytest.fixture
def desktop(tmp_path: Path) -> Machine:
    """As systemd leaves it, with one limit that somebody raised."""
    machine = machine_in(tmp_path)
    kernel(machine, kernel__keys__maxkeys=200, vm__max_map_count=1048576)
    return machine


def set_up_on(machine: Machine, *, only_plan: bool = False) -> list[RaiseLimits]:
    done = set_up(FakeLxd(), Settings(), Silent(), machine=machine, only_plan=only_plan)
    return [action for action in done if isinstance(action, RaiseLimits)]


def test_what_is_low_is_raised_for_now_and_for_later(desktop: Machine) -> None:
    (action,) = set_up_on(desktop, only_plan=True)
    assert str(action) == "raise limits of the kernel (kernel.keys.maxkeys to 20000)"
    assert read_limits(desktop)[KEYS] == 200
    assert set_up_on(desktop) == [action]
    assert read_limits(desktop) == {KEYS: 20000, MAPS: 1048576}
    assert written(desktop) == {KEYS: 20000}
    assert (desktop.text(FILE) or "").startswith("# Made by labstamp")


def test_a_second_run_has_nothing_to_do(desktop: Machine) -> None:
    set_up_on(desktop)
    before = desktop.text(FILE)
    assert set_up_on(desktop) == []
    assert desktop.text(FILE) == before


def test_after_a_boot_that_forgot_it_is_done_again(desktop: Machine) -> None:
    set_up_on(desktop)
    kernel(desktop, kernel__keys__maxkeys=200)
    assert len(set_up_on(desktop)) == 1
    assert read_limits(desktop)[KEYS] == 20000


def test_what_somebody_raises_further_is_not_lowered_at_a_boot(desktop: Machine) -> None:
    kernel(desktop, kernel__keys__maxkeys=200, vm__max_map_count=65530)
    set_up_on(desktop)
    assert written(desktop) == {KEYS: 20000, MAPS: 262144}
    kernel(desktop, kernel__keys__maxkeys=90000)
    assert len(set_up_on(desktop)) == 1
    assert written(desktop) == {MAPS: 262144}
    assert read_limits(desktop) == {KEYS: 90000, MAPS: 262144}
    assert set_up_on(desktop) == []


def test_asked_for_lxd_alone_it_leaves_the_machine_as_it_is(desktop: Machine) -> None:
    tape = Tape()
    before = read_limits(desktop)
    actions = set_up(FakeLxd(), Settings(), tape, only_lxd=True, machine=desktop)
    assert [type(action).__name__ for action in actions if "Limits" in type(action).__name__] == []
    assert tape.said == []
    assert read_limits(desktop) == before
    assert FILE not in files_of(desktop.root)


def test_without_root_the_command_is_told(desktop: Machine) -> None:
    tape = Tape()
    person = replace(desktop, superuser=False)
    assert set_up(FakeLxd(), Settings(), tape, machine=person) == ()
    assert tape.said == [
        "Limits of the kernel are low; raising them needs root: sudo .venv/bin/invoke host.setup"
    ]
    assert FILE not in files_of(desktop.root)


def test_the_limits_of_an_lxd_elsewhere_are_its_own_affair(desktop: Machine) -> None:
    tape = Tape()
    elsewhere = Settings(remote="https://lab1.example:8443")
    assert set_up(FakeLxd(), elsewhere, tape, machine=desktop) == ()
    assert tape.said == []


def test_somebody_elses_file_stays(desktop: Machine) -> None:
    write(desktop.root, FILE, "kernel.keys.maxkeys = 300\n")
    with pytest.raises(InputError, match="labstamp did not make it"):
        set_up_on(desktop)
    assert desktop.text(FILE) == "kernel.keys.maxkeys = 300\n"


def test_what_the_kernel_refuses_is_said(desktop: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As within a container, where LXD may run, too."""
    write_text = Path.write_text

    def refuse(path: Path, text: str, encoding: str) -> int:
        if "proc/sys" in str(path):
            raise PermissionError
        return write_text(path, text, encoding)

    monkeypatch.setattr(Path, "write_text", refuse)
    tape = Tape()
    set_up(FakeLxd(), Settings(), tape, machine=desktop)
    assert tape.said == [
        f"The kernel did not accept these limits: kernel.keys.maxkeys. They are in {FILE} for "
        "the next boot."
    ]


def test_each_is_known_to_host_check() -> None:
    now = dict.fromkeys(WANTED, 1)
    every = list(findings(now, "sudo "))
    assert [one.subject for one in every] == list(WANTED)
    for one in every:
        assert one.status is Status.WARN
        assert one.found == f"1, expected at least {WANTED[one.subject or '']}"
        assert one.fix == "sudo .venv/bin/invoke host.setup"
        assert one.why
    (fine,) = findings(WANTED, "")
    assert (fine.status, fine.subject) == (Status.OK, None)


def test_what_the_kernel_has_not_is_not_wanted(tmp_path: Path) -> None:
    assert too_low(read_limits(machine_in(tmp_path))) == {}
    assert set_up_on(machine_in(tmp_path)) == []
