"""Logs are their owner's, and nothing that lies in their place is written to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from images import log_file
from images.log_file import make_log
from lab.errors import InputError


def test_nobody_else_reads_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path, file = make_log(tmp_path / "logs", "base-20261121-120000")
    finally:
        os.umask(before)
    with file:
        file.write("text")
    assert path == tmp_path / "logs" / "base-20261121-120000.log"
    assert path.read_text() == "text"
    assert [one.stat().st_mode & 0o777 for one in (path.parent, path)] == [0o700, 0o600]


def test_a_directory_of_before_is_closed(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    logs.chmod(0o755)
    make_log(logs, "x")[1].close()
    assert logs.stat().st_mode & 0o777 == 0o700


def test_what_lies_there_is_left(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("thesis")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "x.log").symlink_to(precious)
    (logs / "x-2.log").hardlink_to(precious)
    path, file = make_log(logs, "x")
    with file:
        file.write("text")
    assert path.name == "x-3.log"
    assert precious.read_text() == "thesis"


def test_they_belong_to_whom_the_checkout_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.fchown", lambda _fd, uid, gid: given.append((uid, gid)))
    make_log(tmp_path / "logs", "x")[1].close()
    owner = (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    assert given == [owner, owner]


def test_the_state_directory_of_an_account_is_made(tmp_path: Path) -> None:
    path, file = make_log(tmp_path / ".local/state/labstamp", "x")
    file.close()
    assert path == tmp_path / ".local/state/labstamp/x.log"
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_root_writes_into_no_directory_of_a_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Ubuntu, the group syslog may write to /var/log."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    logs = tmp_path / "logs"
    logs.symlink_to(elsewhere)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(log_file, "trusted", lambda: frozenset({os.getuid() + 1}))
    with pytest.raises(InputError, match="No log can be written in"):
        make_log(logs, "x")
    assert list(elsewhere.iterdir()) == []
    assert elsewhere.stat().st_mode & 0o777 == 0o755


def test_where_none_can_be_written_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(InputError, match="No log can be written in"):
        make_log(tmp_path / "logs", "x")
