"""The unit and the timer that make backups by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.units import driver_hook
from host.units.backup_timer import timer
from tests.support.builders.machines import Apt, checkout_in, files_of, machine_in

JUDGE = "/usr/local/lib/labstamp/root-alone.sh"
TIMER = "/etc/systemd/system/labstamp-backups.timer"
TIMED = "/etc/systemd/system/labstamp-backups.service"
TIMER_LINK = "/etc/systemd/system/timers.target.wants/labstamp-backups.timer"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return checkout_in(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_the_timer_of_backups_is_installed_once_and_removed_whole(
    root: Path, checkout: Path
) -> None:
    apt = Apt()
    machine = machine_in(root, apt)
    paths = (JUDGE, TIMER, TIMED, TIMER_LINK)
    done = timer("Sun 04:00").install(machine, checkout, {})
    assert done == tuple(f"{path}: written" for path in paths)
    assert timer("Sun 04:00").install(machine, checkout, {}) == ()
    fires, service = ((root / path[1:]).read_text().splitlines() for path in (TIMER, TIMED))
    assert {"OnCalendar=Sun 04:00", "Persistent=true", "WantedBy=timers.target"} <= set(fires)
    place = str(checkout).replace("%", "%%")
    assert f'ExecStart="{place}/.venv/bin/invoke" host.make-backups' in service
    assert [line for line in service if line.startswith("ExecStartPre=")]
    assert "[Install]" not in service
    removed = timer().remove(machine)
    assert removed == tuple(f"{path}: removed" for path in paths)
    assert files_of(root) == []
    assert apt.ran == [
        "systemctl daemon-reload",
        "systemctl restart labstamp-backups.timer",
        "systemctl stop labstamp-backups.timer",
        "systemctl daemon-reload",
    ]
    assert timer().remove(machine) == ()


def test_the_judge_stays_while_a_unit_has_it(root: Path, checkout: Path) -> None:
    machine = machine_in(root)
    driver_hook.install(machine, checkout, {})
    timer("Sun 04:00").install(machine, checkout, {})
    driver_hook.remove(machine)
    assert JUDGE in files_of(root)
    timer().remove(machine)
    assert JUDGE not in files_of(root)
