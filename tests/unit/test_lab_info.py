"""`lab-info`: what a container's user has and uses, by the container's own kernel files."""

from __future__ import annotations

import ast
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from lab.errors import Stuck
from lab.lxd.model import State
from lab.machine import lock
from provision.inside.lab_info import (
    End,
    Share,
    by_quota,
    disk,
    end_of_time,
    in_a_line,
    in_full,
    in_words,
    is_btrfs,
    limited_memory,
    main,
    quota_group,
    share_of,
    whole_memory,
)
from provision.lab_info import LINE, PLACE, PROGRAM, give_lab_info
from tests.support.builders.stamping import a_lab, bob, stamp
from tests.unit.test_resize import Listening

GIB = 1 << 30
V1 = {
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "4294967296\n",
    "sys/fs/cgroup/memory/memory.stat": "cache 9\ntotal_rss 4096\ntotal_shmem 100\n",
}
V2 = {
    "sys/fs/cgroup/memory.max": "4294967296\n",
    "sys/fs/cgroup/memory.stat": "anon 4096\nfile 99999\nshmem 100\n",
}


def files(root: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize("texts", [V1, V2])
def test_memory_is_that_of_the_limit_without_the_cache(
    tmp_path: Path, texts: dict[str, str]
) -> None:
    assert limited_memory(files(tmp_path, texts)) == Share("memory", 4196, 4 * GIB)


@pytest.mark.parametrize(
    "limit",
    [
        {"sys/fs/cgroup/memory.max": "max\n"},
        {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
    ],
)
def test_without_a_limit_it_is_the_machines(tmp_path: Path, limit: dict[str, str]) -> None:
    meminfo = {"proc/meminfo": "MemTotal: 2048 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\n"}
    root = files(tmp_path, {**V1, **V2, **limit, **meminfo})
    if "memory.max" in str(limit):
        (root / "sys/fs/cgroup/memory/memory.stat").unlink()
    else:
        (root / "sys/fs/cgroup/memory.max").unlink()
    assert limited_memory(root) is None
    assert whole_memory(root) == Share("memory", 1 << 20, 2 << 20, shared=True)
    assert whole_memory(tmp_path / "nothing") is None


def test_a_disk_without_a_quota_is_as_df_says(tmp_path: Path) -> None:
    found = disk("root", tmp_path)
    assert (found.name, found.shared) == ("root", is_btrfs(tmp_path))
    assert 0 < found.used <= found.size
    assert by_quota("root", tmp_path, tmp_path) is None
    assert quota_group(tmp_path / "missing", tmp_path) is None


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (Share("home", 1288490189, 20 * GIB), "1.2/20 GiB"),
        (Share("home", 0, 512 << 20), "0/512 MiB"),
        (Share("home", 1, 20 * GIB), "<0.1/20 GiB"),
        (Share("home", 3, 4), "3/4 B"),
    ],
)
def test_shares(one: Share, text: str) -> None:
    assert share_of(one) == text


def test_what_is_nearly_full_is_named() -> None:
    found = [Share("memory", GIB, 4 * GIB, shared=True), Share("home", 19 * GIB, 20 * GIB)]
    assert in_a_line(found) == "memory 1/4 GiB, home 19/20 GiB; nearly full: home  (lab-info)"
    assert in_full(found) == (
        "memory  1/4 GiB used  shared with other containers\nhome    19/20 GiB used  nearly full"
    )


def test_it_runs_and_explains_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--line"], files(tmp_path, V2)) == 0
    assert capsys.readouterr().out.startswith("memory <0.1/4 GiB, root ")
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out.startswith("memory  <0.1/4 GiB used\nroot ")
    assert main(["--help"], tmp_path) == 2
    assert "lab-info --line" in capsys.readouterr().err


def test_it_needs_nothing_but_python() -> None:
    tree = ast.parse(PROGRAM.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
    assert PROGRAM.read_text().startswith("#!/usr/bin/env python3\n")


def test_a_container_has_it_before_its_first_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    stamp(lxd, bob())
    files = lxd.store.instances["default", "bob"].files
    assert files[PLACE].content == PROGRAM.read_bytes()
    assert {files[path].mode for path in (PLACE, LINE)} == {0o755}
    assert {(files[path].uid, files[path].gid) for path in (PLACE, LINE)} == {(0, 0)}
    assert PLACE.encode() in files[LINE].content


def test_who_cannot_have_it_goes_without() -> None:
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.failures[f"write_file bob{PLACE}"] = Stuck("LXD timed out trying to write a file.")
    said: list[str] = []
    give_lab_info(lxd, "bob", Listening(said))
    assert said == ["bob goes without lab-info: LXD timed out trying to write a file."]
    assert lxd.store.instances["default", "bob"].state is State.RUNNING


@contextmanager
def lxd_in_it(root: Path, keys: dict[str, str], *, status: int = 200) -> Iterator[None]:
    """LXD's socket in a container, which shows KEYS."""
    place = root / "dev/lxd/sock"
    place.parent.mkdir(parents=True)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            value = keys.get(self.path.rpartition("/")[2])
            self.send_response(404 if value is None else status)
            self.end_headers()
            self.wfile.write((value or "Not Found").encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def address_string(self) -> str:
            return ""

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(place), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


DATE = date(2027, 1, 31)


def test_the_end_is_told_by_lxd_in_the_container(tmp_path: Path) -> None:
    mark = {"user.lab.until": "2027-01-31", "user.lab.expiry": "{}"}
    with lxd_in_it(tmp_path, mark):
        assert end_of_time(tmp_path) == End(DATE, is_near=True)


def test_an_end_without_a_warning_is_not_near(tmp_path: Path) -> None:
    with lxd_in_it(tmp_path, {"user.lab.until": "2027-01-31"}):
        assert end_of_time(tmp_path) == End(DATE, is_near=False)


@pytest.mark.parametrize("keys", [{}, {"user.lab.until": "never"}, {"user.lab.until": "soon"}])
def test_no_end_is_told_where_there_is_none(tmp_path: Path, keys: dict[str, str]) -> None:
    with lxd_in_it(tmp_path, keys):
        assert end_of_time(tmp_path) is None


def test_nothing_is_told_to_whom_lxd_does_not_answer(tmp_path: Path) -> None:
    assert end_of_time(tmp_path) is None
    with lxd_in_it(tmp_path, {"user.lab.until": "2027-01-31"}, status=401):
        assert end_of_time(tmp_path) is None


@pytest.mark.parametrize(
    ("days", "near", "words"),
    [
        (40, False, "This container is yours until 2027-01-31 (in 40 days)"),
        (
            7,
            True,
            "This container is yours until 2027-01-31 (in 7 days); ask the server's admin for "
            "more time",
        ),
        (
            1,
            True,
            "This container is yours until 2027-01-31 (in 1 day); ask the server's admin for more "
            "time",
        ),
        (0, False, "This container is yours until 2027-01-31 (today)"),
        (-2, False, "This container is yours until 2027-01-31, which has passed"),
    ],
)
def test_the_end_in_words(days: int, near: bool, words: str) -> None:  # noqa: FBT001
    assert in_words(End(DATE, is_near=near), DATE - timedelta(days=days)) == words
