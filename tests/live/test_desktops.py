"""Both desktops, stamped from their releases, used through a real RDP client.

The pictures in docs/ are taken here: LABSTAMP_REGOLD=1 pytest tests/live/test_desktops.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.wait import poll
from tests.support.live_lab.lab import ROOT, Lab, Said, ssh
from tests.support.live_lab.rdp_client import Desk, connected

PICTURES = ROOT / "docs" / "pictures"
TERMINALS = {
    "xfce": "xfce4-terminal --geometry=78x14+330+280 --hide-menubar --execute",
    "gnome": "gnome-terminal --geometry=78x14+330+280 --hide-menubar --",
}
SHOWN = (
    "id -un; uname -n; echo '实验室的图形桌面 · 研究室のデスクトップ · 연구실 데스크톱'; exec bash"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The owner of a container with a desktop, at their own desk."""

    short: str
    container: dict[str, Any]
    key: Path
    directory: Path

    def types(self, command: str) -> Said:
        """Over ssh, in the environment of the desktop."""
        found = "DISPLAY=$(pgrep -a -u $USER -x Xorg | sed -n 's/.* \\(:[0-9]*\\) .*/\\1/p'); "
        address, account = self.container["ipv4"][0], self.container["owner"]
        return ssh(address, account, self.key, [f"export {found}{command}"])

    def connect(self, depth: int = 32) -> Any:
        return connected(
            self.container["ipv4"][0],
            self.container["owner"],
            self.container["password"],
            self.directory,
            depth=depth,
        )

    def windows(self) -> list[str]:
        """The titles of what stands on the desktop: not itself, not its panel."""
        script = """
            for id in $(xprop -root -notype _NET_CLIENT_LIST | grep -o '0x[0-9a-f]*'); do
                xprop -id $id -notype _NET_WM_WINDOW_TYPE | grep -q 'DESKTOP\\|DOCK' ||
                    xprop -id $id -notype WM_CLASS _NET_WM_NAME | paste -s
            done"""
        return self.types(script).out.splitlines()


@pytest.fixture(scope="module", params=["xfce", "gnome"])
def owner(
    request: pytest.FixtureRequest, lab: Lab, key: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Owner]:
    short = request.param
    name = f"lt-{short}"
    lab.invoke("destroy", name, "--yes", "--purge")
    made = lab.succeed(
        *("provision", name, "--template", short, "--key", str(key.with_suffix(".pub"))),
        *("--password", "--memory", "3GiB", "--json"),
    ).document
    yield Owner(
        short=short, container=made, key=key, directory=tmp_path_factory.mktemp(f"desk-{short}")
    )
    lab.invoke("destroy", name, "--yes", "--purge")


@pytest.fixture(scope="module")
def desk(owner: Owner) -> Iterator[Desk]:
    with owner.connect() as desk:
        desk.wait_for_panel()
        yield desk


def test_the_gpu_says_where_the_desktop_is(owner: Owner) -> None:
    assert owner.container["access"]["rdp"] == f"{owner.container['ipv4'][0]}:3389"


def test_a_client_sees_a_desktop_with_a_panel(owner: Owner, desk: Desk) -> None:
    picture = desk.look()
    assert (picture.width, picture.height) == (1280, 800)
    assert 18 <= picture.panel() <= 60
    assert picture.colours() > 100


def test_nothing_stands_in_the_way_at_first_login(owner: Owner, desk: Desk) -> None:
    assert owner.windows() == []


def test_a_terminal_shows_all_three_scripts(owner: Owner, desk: Desk) -> None:
    before = desk.look().pixels
    owner.types(f'setsid -f {TERMINALS[owner.short]} bash -c "{SHOWN}" >/dev/null 2>&1')
    poll(lambda: owner.windows() or None, what="the terminal's window", timeout=60)
    poll(lambda: desk.look().pixels != before or None, what="it on the screen", timeout=30)
    for language, variant in (("en", "SC"), ("zh-cn", "SC"), ("zh-tw", "TC"), ("ja", "JP")):
        found = owner.types(f"fc-match sans-serif:lang={language}:charset=76f4 family").out
        assert f"Noto Sans CJK {variant}" in found
    _keep(desk, PICTURES / f"{owner.short}.png")


def _keep(desk: Desk, picture: Path) -> None:
    """Into the documentation, when asked for; 256 colours are enough for a desktop."""
    if not os.environ.get("LABSTAMP_REGOLD"):
        return
    poll(lambda: True if desk.look().colours() > 100 else None, what="the screen", timeout=10)
    small = desk.file.with_name("small.png")
    subprocess.run(
        ["convert", str(desk.file), "-strip", "-colors", "256", f"png8:{small}"], check=True
    )
    assert small.stat().st_size < 300_000
    shutil.copyfile(small, picture)


def test_the_screen_is_never_locked_and_the_machine_never_sleeps(owner: Owner, desk: Desk) -> None:
    lockers = "light-locker xfce4-screensaver xscreensaver xlock gnome-screensaver"
    assert owner.types(f"command -v {lockers}").out == ""
    login = "org.freedesktop.login1"
    call = f"/{login.replace('.', '/')} {login}.Manager.CanSuspend"
    said = owner.types(f"dbus-send --system --print-reply --dest={login} {call}")
    assert '"no"' in said.out or '"na"' in said.out
    if owner.short == "gnome":
        said = owner.types("gsettings get org.gnome.desktop.session idle-delay")
        assert said.out.strip() == "uint32 0"


def test_no_password_is_asked_for_what_nobody_asked_for(owner: Owner, desk: Desk) -> None:
    for action in (
        "org.freedesktop.color-manager.create-device",
        "org.freedesktop.color-manager.create-profile",
        "org.freedesktop.packagekit.system-sources-refresh",
    ):
        # 1 refused, 0 allowed, 2 "a password would do", 127 no such action here.
        said = owner.types(f"pkcheck --action-id {action} --process $$")
        assert said.code in {0, 1, 127}, said.err


def test_whoever_comes_back_finds_the_same_session(owner: Owner, desk: Desk) -> None:
    session = owner.types("pgrep -u $USER -x Xorg").out.split()
    assert len(session) == 1
    # The first desk loses it to the second, of another depth, as when a user moves to a laptop.
    with owner.connect(depth=16) as second:
        second.wait_for_panel()
    assert owner.types("pgrep -u $USER -x Xorg").out.split() == session


def test_root_gets_no_desktop(owner: Owner) -> None:
    said = owner.types("sudo grep -c '^AllowRootLogin=false$' /etc/xrdp/sesman.ini")
    assert said.out.strip() == "1"
