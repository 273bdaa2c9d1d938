"""Which LXD of the machine is used, by real sockets in places of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.lxd.session import local_socket
from lab.machine.local_daemon import Door, Places, abandoned, lxd_directory, probe_socket

Listen = Callable[[Path], None]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """The snap's place and the package's: there, and empty."""
    snap, package = tmp_path / "snap", tmp_path / "package"
    snap.mkdir()
    package.mkdir()
    return snap, package


def found(places: Places, *snap_mounts: Path) -> Path:
    return lxd_directory({}, places, snap_mounts)


@pytest.fixture
def listen() -> Iterator[Listen]:
    """A daemon's socket in a place."""
    with ExitStack() as daemons:

        def start(place: Path) -> None:
            daemon = daemons.enter_context(socket.socket(socket.AF_UNIX))
            daemon.bind(str(place / "unix.socket"))
            daemon.listen()

        yield start


def leave_behind(place: Path) -> None:
    """The socket of a daemon that is gone."""
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(place / "unix.socket"))


def test_the_environment_comes_first(places: Places, listen: Listen) -> None:
    for place in places:
        listen(place)
    assert lxd_directory({"LXD_DIR": "/srv/lxd"}, places) == Path("/srv/lxd")
    assert local_socket({"LXD_DIR": "/srv/lxd"}) == Path("/srv/lxd/unix.socket")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("stale", [True, False])
def test_the_one_that_answers_is_used(
    *, places: Places, listen: Listen, which: int, stale: bool
) -> None:
    """Whatever the other left: its directory, or its socket, too."""
    listen(places[which])
    if stale:
        leave_behind(places[1 - which])
    assert found(places) == places[which]


def test_where_two_answer_both_are_named(places: Places, listen: Listen) -> None:
    for place in places:
        listen(place)
    with pytest.raises(InputError) as caught:
        found(places)
    snap, package = places
    assert str(caught.value) == (
        "Two LXD daemons run on this machine, and LXD_DIR does not say which one to use.\n"
        f"  {snap}/unix.socket answers\n"
        f"  {package}/unix.socket answers\n"
        "Next: Choose the one for the containers (`lxc` uses the same variable):\n"
        f"      export LXD_DIR={snap}\n"
        f"      export LXD_DIR={package}"
    )


def test_where_none_answers_it_is_what_is_installed(places: Places, tmp_path: Path) -> None:
    snap, package = places
    leave_behind(snap)
    assert found(places) == package
    assert found(places, tmp_path) == snap
    assert abandoned(package / "unix.socket", places) == (snap / "unix.socket",)
    assert abandoned(snap / "unix.socket", places) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_not_use_it_is_told_of_the_one_that_is_installed(
    places: Places, listen: Listen, tmp_path: Path
) -> None:
    snap, package = places
    leave_behind(snap)
    listen(package)
    package.chmod(0o700)
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_mode & 0o711 == 0o700 and above.owner() == "root":
            above.chmod(0o711)
    os.seteuid(65534)
    try:
        assert probe_socket(package / "unix.socket") is Door.SHUT
        assert found(places) == package
    finally:
        os.seteuid(0)
