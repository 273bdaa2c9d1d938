"""The units and timers that take snapshots, and write the state of the lab, by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.units import driver_hook
from host.units.snapshot_timer import TIMER
from host.units.state_timer import TIMER as STATES
from tests.support.builders.machines import Apt, checkout_in, files_of, machine_in

JUDGE = "/usr/local/lib/labstamp/root-alone.sh"
TIMER_FILE = "/etc/systemd/system/labstamp-snapshots.timer"
TIMED = "/etc/systemd/system/labstamp-snapshots.service"
TIMER_LINK = "/etc/systemd/system/timers.target.wants/labstamp-snapshots.timer"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return checkout_in(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_the_timer_of_snapshots_is_installed_once_and_removed_whole(
    root: Path, checkout: Path
) -> None:
    apt = Apt()
    machine = machine_in(root, apt)
    paths = (JUDGE, TIMER_FILE, TIMED, TIMER_LINK)
    done = TIMER.install(machine, checkout, {})
    assert done == tuple(f"{path}: written" for path in paths)
    assert TIMER.install(machine, checkout, {}) == ()
    timer, service = ((root / path[1:]).read_text().splitlines() for path in (TIMER_FILE, TIMED))
    assert {"OnCalendar=hourly", "Persistent=true", "WantedBy=timers.target"} <= set(timer)
    place = str(checkout).replace("%", "%%")
    assert f'ExecStart="{place}/.venv/bin/invoke" host.take-snapshots' in service
    assert [line for line in service if line.startswith("ExecStartPre=")]
    assert "[Install]" not in service
    removed = TIMER.remove(machine)
    assert removed == tuple(f"{path}: removed" for path in paths)
    assert files_of(root) == []
    assert apt.ran == [
        "systemctl daemon-reload",
        "systemctl restart labstamp-snapshots.timer",
        "systemctl stop labstamp-snapshots.timer",
        "systemctl daemon-reload",
    ]
    assert TIMER.remove(machine) == ()


def test_the_timer_of_states_is_installed_once_and_removed_whole(
    root: Path, checkout: Path
) -> None:
    machine = machine_in(root)
    unit = "/etc/systemd/system/labstamp-state"
    assert f"{unit}.timer: written" in STATES.install(machine, checkout, {})
    assert STATES.install(machine, checkout, {}) == ()
    timer, service = (
        (root / f"{unit[1:]}.{kind}").read_text().splitlines() for kind in ("timer", "service")
    )
    assert {"OnCalendar=*-*-* 03:00:00", "Persistent=true"} <= set(timer)
    place = str(checkout).replace("%", "%%")
    assert f'ExecStart="{place}/.venv/bin/invoke" export-state' in service
    assert "UMask=0077" in service
    STATES.remove(machine)
    assert files_of(root) == []


def test_the_judge_stays_while_a_unit_has_it(root: Path, checkout: Path) -> None:
    machine = machine_in(root)
    driver_hook.install(machine, checkout, {})
    TIMER.install(machine, checkout, {})
    driver_hook.remove(machine)
    assert JUDGE in files_of(root)
    TIMER.remove(machine)
    assert JUDGE not in files_of(root)
