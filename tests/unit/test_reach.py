"""The way to LXD: which socket, and what a person reads where nobody answers there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import LabError, LxdUnreachable
from lab.lxd.client import connect
from lab.lxd.session import tls_session
from lab.machine.local_daemon import PACKAGE, SNAP, how_to_start

URL = "https://lab.example:8443"


def no_daemon(socket: Path) -> LabError:
    done = pytest.MonkeyPatch()
    done.setenv("LXD_DIR", str(socket.parent))
    try:
        with pytest.raises(LxdUnreachable) as caught:
            connect()
    finally:
        done.undo()
    return caught.value


def test_a_daemon_that_does_not_run_can_be_started(tmp_path: Path) -> None:
    socket = tmp_path / "unix.socket"
    assert str(no_daemon(socket)) == (
        f"LXD is not running: nothing answers at {socket}.\n"
        f"  LXD_DIR={tmp_path} is set in the environment.\n"
        f"Next: {how_to_start(socket)}"
    )


@pytest.mark.parametrize(
    ("path", "mounted", "systemd", "command"),
    [
        (PACKAGE, False, True, "sudo systemctl start lxd"),
        (PACKAGE, False, False, "sudo ci/sandbox start"),
        # The snap's daemon is started by snap, where the snap is.
        (SNAP, True, True, "sudo snap start lxd"),
        (SNAP, False, True, "sudo systemctl start lxd"),
        (PACKAGE, True, True, "sudo systemctl start lxd"),
    ],
)
def test_how_a_daemon_is_started(
    *, tmp_path: Path, path: Path, mounted: bool, systemd: bool, command: str
) -> None:
    none = tmp_path / "none"
    assert command == how_to_start(
        path / "unix.socket",
        snap_mounts=(tmp_path if mounted else none,),
        systemd=tmp_path if systemd else none,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_not_use_the_socket_is_told_how(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    script = """
import os, sys
from lab.errors import LxdUnreachable
from lab.lxd.client import connect
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    connect()
except LxdUnreachable as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "LXD_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        f"nobody may not use LXD: permission denied on {tmp_path}/unix.socket.\n"
        "Next: sudo usermod -aG lxd nobody\n"
        "      then log out and in again\n"
    )


def test_the_environment_has_no_say_in_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:1")
    session = tls_session(None, None)
    settings = session.merge_environment_settings(URL, {}, None, None, None)
    assert settings["verify"] is True
    assert dict(settings["proxies"]) == {}
