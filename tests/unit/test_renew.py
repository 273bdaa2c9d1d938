"""Dates that are given, and more time: what was done at the end of it is undone."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import labels
from lab.errors import InputError
from lab.lxd.model import State
from lab.machine import lock
from lab.report import Silent
from lab.settings.expiry import ExpirySettings
from provision import lifecycle
from provision.create.ready import SshProbe
from tests.support.builders.expiring import UTC, Lab, period
from tests.support.builders.public_keys import key
from tests.support.builders.stamping import a_lab
from tests.support.fake_lxd.store import EPOCH

START = EPOCH.date()
END = START + timedelta(days=40)


def day(days: int) -> date:
    return END + timedelta(days=days)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return Lab(a_lab())


def expiring(lab: Lab, **more: object) -> Lab:
    lab.settings = UTC.model_copy(update={"expiry": ExpirySettings.model_validate(more)})
    return lab


def test_one_whom_a_killed_renewal_started_is_waited_for(lab: Lab) -> None:
    asked: list[str] = []

    def probe(address: str) -> SshProbe:
        asked.append(address)
        return SshProbe.BANNER

    lab.let_in("bob", END.isoformat())
    lab.nights(START, 45)
    lab.lxd.start("bob")
    lab.probe = probe
    assert not lab.renew("bob", until=day(500)).started
    assert asked


@pytest.mark.parametrize("nights", [5, 35, 42, 60, 80, 120, 200, 275])
def test_renewing_brings_everything_back_until_the_purge(lab: Lab, nights: int) -> None:
    lab.let_in("bob", END.isoformat(), mail="bob@lab.example", cpus=1)
    lab.lxd.update("bob", config={"limits.processes": "777", labels.SNAPSHOTS: "day 3"})
    lab.lxd.update("bob", devices={"port": {"type": "proxy", "listen": "tcp:127.0.0.1:8080"}})
    lab.nights(START, nights)
    later = day(500)
    renewed = lab.renew("bob", until=later)
    assert (lab.state("bob"), lab.thesis("bob")) == ("runs", b"bob")
    assert lab.noted("bob") == (later.isoformat(), None, None, "bob@lab.example")
    instance = lab.lxd.instance("bob")
    assert instance is not None
    kept = {name: instance.config.get(name) for name in ("limits.processes", "limits.cpu")}
    assert kept == {"limits.processes": "777", "limits.cpu": "1"}
    assert instance.config[labels.SNAPSHOTS] == "day 3"
    assert instance.devices["port"]["listen"] == "tcp:127.0.0.1:8080"
    assert labels.WISH not in lab.config("bob")
    assert renewed.brought_back == (nights > 101)
    assert renewed.backup == ("bob-0" if nights > 101 else None)
    assert lab.ear.events("bob")[-1] == "renewed"
    assert lab.renew("bob", until=later).started is False
    # The same `provision` finds it as it was asked for.
    lab.let_in("bob", later.isoformat(), mail="bob@lab.example", cpus=1)


def test_what_was_purged_names_the_backup(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(START, 330)
    assert lab.state("bob") == "nothing"
    with pytest.raises(InputError, match="no home of it") as error:
        lab.renew("bob", days=30)
    assert "restore-backup bob" in str(error.value)


def test_a_freeze_is_given_and_ended(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.at(day(-35))
    lab.renew("bob", freeze=day(-5))
    assert lab.noted("bob")[2] == period(day(-35), day(-5))
    assert lab.noted("bob")[0] == END.isoformat()
    lab.nights(day(-34), 30)
    assert lab.ear.events("bob") == []
    lab.renew("bob", unfreeze=True)
    lab.night(day(-4))
    assert lab.ear.events("bob") == ["expiry-warning"]


def test_a_freeze_alone_brings_nobody_back(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(START, 45)
    lab.renew("bob", freeze=day(100))
    assert lab.state("bob") == "stopped"
    lab.nights(day(5), 95)
    assert lab.state("bob") == "stopped"
    assert lab.shelf.kept == {}


def test_the_lifetime_of_the_lab_is_for_new_containers(lab: Lab) -> None:
    lab.let_in("ann")
    expiring(lab, lifetime=100)
    lab.let_in("bob")
    lab.let_in("eve", "never")
    assert lab.noted("bob")[0] == (START + timedelta(days=100)).isoformat()
    assert lab.noted("eve")[0] == "never"
    assert lab.noted("ann")[0] is None
    lab.renew("ann")
    assert lab.noted("ann")[0] == (START + timedelta(days=100)).isoformat()


def test_renew_without_a_date_and_a_lifetime_is_refused(lab: Lab) -> None:
    lab.let_in("bob")
    before = list(lab.lxd.changes)
    for wishes in ({}, {"until": START - timedelta(days=1)}, {"freeze": START - timedelta(days=1)}):
        with pytest.raises(InputError):
            lab.renew("bob", **wishes)
    with pytest.raises(InputError, match="one of --until"):
        lab.renew("bob", days=3, never=True)
    with pytest.raises(InputError, match="not both"):
        lab.renew("bob", freeze=END, unfreeze=True)
    assert lab.lxd.changes == before


def test_provision_does_not_change_a_date(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    before = list(lab.lxd.changes)
    with pytest.raises(InputError) as error:
        lab.let_in("bob", day(9).isoformat(), mail="bob@lab.example")
    options = f"--until {day(9)} --mail bob@lab.example"
    assert f"invoke renew bob {options}" in str(error.value)
    with pytest.raises(InputError, match="has passed"):
        lab.let_in("eve", day(-90).isoformat())
    assert lab.lxd.changes == before


def test_a_kept_home_has_its_date_or_needs_a_new_one(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat(), mail="bob@lab.example")
    lifecycle.destroy(lab.lxd, lab.settings, "bob", purge=False, report=Silent())
    lab.nights(day(-40), 80)
    assert (lab.state("bob"), lab.ear.events("bob")) == ("home", [])
    with pytest.raises(InputError, match=f"ended on {END}"):
        lab.let_in("bob")
    lab.at(day(-5))
    lab.let_in("bob")
    assert lab.noted("bob")[0::3] == (END.isoformat(), "bob@lab.example")


def test_provision_of_a_home_that_expiry_kept_begins_anew(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(START, 120)
    assert lab.state("bob") == "home"
    lab.let_in("bob", day(900).isoformat())
    assert lab.noted("bob")[:2] == (day(900).isoformat(), None)
    lab.nights(day(81), 300)
    assert lab.state("bob") == "runs"


def test_gpus_are_given_as_there_are(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat(), keys=(key(),))
    lab.lxd.update("bob", devices={"gpu0": {"type": "gpu", "pci": "0000:b1:00.0"}})
    lab.nights(START, 120)
    assert lab.state("bob") == "home"
    renewed = lab.renew("bob", days=30)
    assert (renewed.lacks_gpus, lab.state("bob")) == (1, "runs")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 330), st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_renewal_at_any_moment_before_the_purge(lab: Lab, renewed: int, steps: list[int]) -> None:
    """The server is off on some nights, for weeks on others."""
    one = Lab(a_lab())
    one.let_in("bob", END.isoformat())
    today, last = START, START + timedelta(days=renewed)
    for nights in steps:
        if (today := today + timedelta(days=nights)) > last:
            break
        one.night(today)
    one.at(max(today, last))
    if one.state("bob") == "nothing":
        with pytest.raises(InputError):
            one.renew("bob", days=30)
        return
    one.renew("bob", days=30)
    instance = one.lxd.instance("bob")
    assert instance is not None
    assert (instance.state, one.thesis("bob")) == (State.RUNNING, b"bob")
    assert instance.config.get(labels.EXPIRY) is None
