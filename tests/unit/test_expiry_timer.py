"""The unit and the timer that take the steps at the end of people's time."""

from __future__ import annotations

from pathlib import Path

from host.units.expiry_timer import TIMER
from host.units.snapshot_timer import TIMER as SNAPSHOTS
from tests.support.builders.machines import checkout_in, files_of, machine_in

UNITS = "/etc/systemd/system"


def test_it_runs_each_night_also_after_one_in_which_the_server_was_off(tmp_path: Path) -> None:
    root, checkout = tmp_path / "root", checkout_in(tmp_path)
    machine = machine_in(root)
    assert len(TIMER.install(machine, checkout, {})) == 4
    assert TIMER.install(machine, checkout, {}) == ()
    timer, service = (
        (root / f"{UNITS[1:]}/labstamp-expiry.{kind}").read_text().splitlines()
        for kind in ("timer", "service")
    )
    assert {"OnCalendar=*-*-* 04:30:00", "Persistent=true", "WantedBy=timers.target"} <= set(timer)
    place = str(checkout).replace("%", "%%")
    assert f'ExecStart="{place}/.venv/bin/invoke" expire' in service


def test_either_timer_goes_without_the_other(tmp_path: Path) -> None:
    root, checkout = tmp_path / "root", checkout_in(tmp_path)
    machine = machine_in(root)
    for timer in (TIMER, SNAPSHOTS):
        timer.install(machine, checkout, {})
    TIMER.remove(machine)
    left = files_of(root)
    assert "/usr/local/lib/labstamp/root-alone.sh" in left
    assert not [path for path in left if "expiry" in path]
    SNAPSHOTS.remove(machine)
    assert files_of(root) == []
