"""The end of somebody's time on a real LXD, on a moved clock: each step, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commands.cli import connect_to
from lab.lxd.port import Lxd
from lab.notify.send import notifier
from lab.report import Silent
from lab.settings.settings import Settings, load_settings
from provision.expiry.run import failure, run
from provision.expiry.steps import Tools
from tests.support.builders.mailbox import Received, http_server
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import ROOT, Lab, lxc, lxc_ended, query, ssh

pytestmark = pytest.mark.plain

NAME = "lt-exp"
LINE = "run-parts /etc/update-motd.d"


class Shelf:
    """An archive that only remembers; what it says it holds is not looked at here."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def make(self, name: str) -> str:
        self.kept.append(name)
        return f"backup-{name}"

    def has(self, name: str, backup: str) -> bool:
        return name in self.kept and backup == f"backup-{name}"

    def keep(self, name: str, backup: str) -> None:
        pass


class Nights:
    """Runs of `expire`, on days that are counted from today."""

    def __init__(self, lab: Lab, directory: Path, received: Received) -> None:
        urls = directory / "urls"
        urls.write_text(f"json://127.0.0.1:{received.port}\n")
        urls.chmod(0o600)
        self.lab = lab.also(directory / "lab.yaml", notify={"urls-file": str(urls)})
        self.settings: Settings = load_settings(ROOT, {"LAB_SETTINGS": str(self.lab.settings)})
        self.lxd: Lxd = connect_to(self.settings)
        self.now: datetime = self.lxd.now()
        self.shelf, self.received = Shelf(), received
        self.tools = Tools(
            lxd=self.lxd,
            settings=self.settings,
            archive=self.shelf,
            tell=notifier(self.settings.notify),
            report=Silent(),
        )

    def date(self, days: int) -> str:
        return (self.now + timedelta(days=days)).astimezone().date().isoformat()

    def night(self, days: int) -> dict[str, Any]:
        """What was done on that day, of this test's container alone."""
        rows = run(self.tools, self.now + timedelta(days=days))
        assert failure(rows) is None
        (row,) = [row for row in rows if row.name == NAME]
        return row.document()

    def told(self) -> list[str]:
        return [document["title"] for document in self.received.documents]


@pytest.fixture(scope="module")
def nights(lab: Lab, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    destroy(lab, [NAME])
    with http_server() as received:
        yield Nights(lab, tmp_path_factory.mktemp("expiry"), received)
    destroy(lab, [NAME])


@pytest.fixture(scope="module")
def person(nights: Nights, key: Path) -> dict[str, Any]:
    """Whose time ends in 40 days, and who has a file in the home and a port."""
    public = str(key.with_suffix(".pub"))
    sizes = ("--memory", "512MiB", "--disk", "1500MiB", "--home", "200MiB", "--json")
    time = ("--until", nights.date(40), "--mail", "bob@lab.example")
    command = ("provision", NAME, "--gpus", "none", "--key", public, *sizes, *time)
    made: dict[str, Any] = nights.lab.succeed(*command).document
    assert (made["until"], made["mail"], made["expiry"]) == (
        nights.date(40),
        "bob@lab.example",
        None,
    )
    lxc("exec", NAME, "--", "sh", "-c", f"echo years >/home/{NAME}/thesis; sync")
    port = ("proxy", "listen=tcp:127.0.0.1:18081", "connect=tcp:127.0.0.1:80")
    lxc("config", "device", "add", NAME, "port", *port)
    lxc("config", "set", NAME, "limits.processes", "777")
    assert "nothing was changed" in nights.lab.succeed(*command[:-5], *time).out
    return made


def _keys(volume: bool = False) -> dict[str, str]:  # noqa: FBT001, FBT002
    pool = query("/1.0/profiles/default")["devices"]["root"]["pool"]
    path = f"storage-pools/{pool}/volumes/custom/home-{NAME}" if volume else f"instances/{NAME}"
    return dict(query(f"/1.0/{path}")["config"])


def _is_there() -> bool:
    return lxc_ended("info", NAME).returncode == 0


def test_a_warning_is_seen_at_login_and_in_the_list(
    nights: Nights, person: dict[str, Any], key: Path
) -> None:
    assert nights.night(9)["done"] is False
    assert nights.night(10)["done"] is True
    assert nights.night(10)["done"] is False
    assert _keys()["user.lab.expiry"] == _keys(volume=True)["user.lab.expiry"]
    (row,) = [
        one
        for one in nights.lab.succeed("list", "--json").document["containers"]
        if one["name"] == NAME
    ]
    assert (row["until"], row["expiry"]["state"]) == (nights.date(40), "warned")
    line = lxc("exec", NAME, "--", "run-parts", "/etc/update-motd.d")
    assert f"until {nights.date(40)}" in line
    assert "ask the server's admin for more time" in line
    said = ssh(person["ipv4"][0], NAME, key, ["lab-info; sudo lab-info"])
    assert said.out.count(f"until {nights.date(40)}") == 1, said.out
    assert nights.told() == [f"{NAME}: the container ends on {nights.date(40)}"]


def test_stopped_says_why_and_renewing_starts_it(nights: Nights, person: dict[str, Any]) -> None:
    for days in (33, 39):
        nights.night(days)
    assert nights.night(41)["state"] == "warned"
    assert query(f"/1.0/instances/{NAME}")["status"] == "Stopped"
    said = nights.lab.invoke("start", NAME)
    assert (said.code, f"invoke renew {NAME} --days 30" in said.err) == (2, True)
    assert "stopped" in nights.lab.succeed("show", NAME).out
    plan = nights.lab.succeed("expire", "--plan", "--json").document["people"]
    assert [one["state"] for one in plan if one["name"] == NAME] == ["stopped"]
    renewed = nights.lab.succeed("renew", NAME, "--days", "40", "--json").document
    assert (renewed["until"], renewed["started"]) == (nights.date(40), True)
    assert query(f"/1.0/instances/{NAME}")["status"] == "Running"
    assert "user.lab.expiry" not in _keys()
    assert lxc("exec", NAME, "--", "cat", f"/home/{NAME}/thesis") == "years\n"
    assert "until" in lxc("exec", NAME, "--", "lab-info")
    assert "until" not in lxc("exec", NAME, "--", "lab-info", "--line")


def test_a_clock_that_jumps_takes_one_step(nights: Nights, person: dict[str, Any]) -> None:
    assert nights.night(900)["next"]["step"] == "warn"
    assert nights.night(901)["done"] is False
    assert query(f"/1.0/instances/{NAME}")["status"] == "Running"
    # Today again: the warning is in the future, and is not counted.
    assert nights.night(41 - 12)["next"]["step"] == "warn"
    for days in (33, 39):
        nights.night(days)


def test_the_home_is_kept_and_all_of_it_comes_back(
    nights: Nights, person: dict[str, Any], key: Path
) -> None:
    nights.night(41)
    assert nights.night(41 + 30)["done"] is True
    assert nights.shelf.kept == [NAME]
    assert nights.night(41 + 60)["done"] is True
    assert not _is_there()
    assert json.loads(_keys(volume=True)["user.lab.expiry"])["state"] == "home-kept"
    # Killed before the home, before the container, before its first start: nothing is due then.
    for changes in (1, 2, 6):
        assert killed(nights.lab, changes, "renew", NAME, "--days", "50")
        assert nights.night(5)["done"] is False
    renewed = nights.lab.succeed("renew", NAME, "--days", "50", "--json").document
    assert (renewed["brought_back"], renewed["backup"]) == (True, f"backup-{NAME}")
    shown = nights.lab.succeed("show", NAME, "--json").document
    said = ssh(shown["ipv4"][0], NAME, key, ["cat thesis"])
    assert said.out == "years\n", said.err
    assert (_keys()["limits.processes"], shown["memory_bytes"]) == ("777", 512 << 20)
    assert query(f"/1.0/instances/{NAME}")["devices"]["port"]["type"] == "proxy"
    left = _keys(volume=True)
    assert not {"user.lab.expiry", "user.lab.wish"} & set(left)


def test_purged_after_it_was_announced_and_named_in_the_backup(
    nights: Nights, person: dict[str, Any]
) -> None:
    for days in (20, 43, 49, 51, 81, 111):
        assert nights.night(days)["done"] is True
    assert nights.night(111 + 172)["done"] is False
    assert nights.night(111 + 173)["next"]["step"] == "announce-purge"
    assert nights.night(111 + 179)["done"] is False
    assert nights.night(111 + 180)["next"]["step"] == "purge"
    assert nights.told()[-2:] == [
        f"{NAME}: the home is removed on {nights.date(291)}",
        f"{NAME}: the home was removed",
    ]
    said = nights.lab.invoke("renew", NAME, "--days", "3")
    assert (said.code, f"restore-backup {NAME}" in said.err) == (2, True)
    people = nights.lab.succeed("expire", "--json").document["people"]
    assert NAME not in [one["name"] for one in people]


def test_the_addresses_are_tried(nights: Nights) -> None:
    said = nights.lab.invoke("notify", "--test")
    assert (said.code, said.out) == (0, "1 of 1 addresses accepted a test.\n")
