"""A lab in memory with the container of bob, who becomes robert."""

from __future__ import annotations

from lab.report import Silent
from provision.name_inside import HOSTNAME, HOSTS, SEEN
from provision.rename.rename import Renamed, rename
from tests.support.builders.stamping import SETTINGS, a_lab, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile

BOB, ROBERT = ("default", "bob"), ("default", "robert")
HOSTS_TEXT = "127.0.0.1 localhost\n127.0.1.1 bob.lan bob\n10.0.0.9 bob\n"


def a_lab_of_bob() -> FakeLxd:
    """With bob's container, which runs, and a file in his home."""
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.write_file("bob", "/home/thesis", b"years")
    files = lxd.store.instances[BOB].files
    for path, text in (
        (HOSTNAME, "bob\n"),
        (HOSTS, HOSTS_TEXT),
        (SEEN, "cached"),
        ("/etc/cloud/cloud.cfg", ""),
        ("/etc/ssh/ssh_host_ed25519_key", "its own"),
    ):
        files[path] = FakeFile(content=text.encode())
    lxd.changes.clear()
    return lxd


def run(lxd: FakeLxd, old: str = "bob", new: str = "robert", *, only_plan: bool = False) -> Renamed:
    return rename(
        lxd,
        SETTINGS,
        old,
        new,
        Silent(),
        only_plan=only_plan,
        timeouts=hasty(),
        probe_ssh=banner,
    )
