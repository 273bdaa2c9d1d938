"""The way to LXD: which socket, and what a person reads where nobody answers there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import LabError, LxdUnreachable
from lab.lxd import errors
from lab.lxd.client import connect
from lab.lxd.errors import Place
from lab.lxd.session import tls_session
from lab.machine import local_daemon

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


@pytest.mark.parametrize(
    ("systemd", "fix"),
    [(True, "sudo systemctl start lxd"), (False, "sudo ci/sandbox start")],
)
def test_a_daemon_that_does_not_run_can_be_started(
    *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: bool, fix: str
) -> None:
    monkeypatch.setattr(errors, "_SYSTEMD", tmp_path if systemd else tmp_path / "none")
    assert str(no_daemon(tmp_path / "unix.socket")) == (
        f"LXD is not running: nothing answers at {tmp_path}/unix.socket.\n"
        f"  LXD_DIR={tmp_path} is set in the environment.\n"
        f"Next: {fix}"
    )


@pytest.mark.parametrize(
    ("there", "fix"), [(True, "sudo snap start lxd"), (False, "sudo systemctl start lxd")]
)
def test_the_snaps_daemon_is_started_by_snap_where_the_snap_is(
    *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, fix: str
) -> None:
    monkeypatch.delenv("LXD_DIR", raising=False)
    monkeypatch.setattr(errors, "_SYSTEMD", tmp_path)
    monkeypatch.setattr(local_daemon, "_SNAPS", (tmp_path if there else tmp_path / "none",))
    monkeypatch.setattr(errors, "abandoned", lambda _: ())
    socket = Path("/var/snap/lxd/common/lxd/unix.socket")
    error = errors.unreachable(Place(socket=socket), ConnectionRefusedError(111, "refused"))
    assert str(error) == f"LXD is not running: nothing answers at {socket}.\nNext: {fix}"


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
