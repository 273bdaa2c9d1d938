"""Two labstamps change one object at a time, whatever LXD does between its check and its write."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from lab.lxd import rest
from lab.lxd.client import Client
from lab.lxd.cpus import KEY
from tests.support.builders.wired import client_at

URL = "https://lab.example:8443"
HELLO = {"auth": "trusted", "environment": {}, "api_extensions": []}
LATER = 0.05
"""Seconds from the check of an ETag to the write; in LXD it is milliseconds, or more when busy."""
BOB = {
    "name": "bob",
    "status": "Stopped",
    "type": "container",
    "created_at": "2026-01-01T00:00:00Z",
    "architecture": "x86_64",
}

Answer = dict[str, Any]


class SlowWriter:
    """A server that compares the ETag at once and writes later, as LXD does."""

    def __init__(self, shown: Answer) -> None:
        self.config: dict[str, str] = {}
        self._shown = shown
        self._edition = 0
        self._waiting: list[tuple[float, dict[str, str]]] = []

    def show(self, _: object, context: Any) -> Answer:
        self._write_what_is_due()
        context.headers["ETag"] = str(self._edition)
        return {"type": "sync", "metadata": self._shown | {"config": self.config}}

    def change(self, request: Any, context: Any) -> Answer:
        self._write_what_is_due()
        if request.headers["If-Match"] != str(self._edition):
            context.status_code = 412
            return {"type": "error", "error": "ETag doesn't match", "error_code": 412}
        context.status_code = 202
        self._waiting.append((time.monotonic() + LATER, request.json()["config"]))
        number = self._edition + len(self._waiting)
        return {"type": "async", "operation": f"/1.0/operations/op-{number}", "metadata": {}}

    def wait(self, request: Any, _: object) -> Answer:
        self._write_what_is_due()
        number = int(request.path.split("/")[-2].removeprefix("op-"))
        code = 200 if self._edition >= number else 103
        return {"type": "sync", "metadata": {"id": "op", "status_code": code, "metadata": {}}}

    def _write_what_is_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, self.config = self._waiting.pop(0)
            self._edition += 1


@pytest.mark.parametrize(
    ("where", "shown", "change"),
    [
        ("instances/bob", BOB, lambda lxd, config: lxd.update("bob", config=config)),
        (
            "storage-pools/default/volumes/custom/bob",
            {"name": "bob"},
            lambda lxd, config: lxd.update_volume("default", "bob", config),
        ),
    ],
)
def test_none_of_many_changes_is_lost(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    shown: Answer,
    change: Callable[[Client, dict[str, str]], object],
) -> None:
    monkeypatch.setattr(rest, "have_place", lambda _remote: tmp_path)
    server = SlowWriter(shown)
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": HELLO})
        http.get(f"{URL}/1.0/{where}", json=server.show)
        http.put(f"{URL}/1.0/{where}", json=server.change)
        http.get(re.compile("/1.0/operations/op-[0-9]+/wait"), json=server.wait)
        http.get(f"{URL}/1.0/operations", json={"type": "sync", "metadata": {}})
        admins = [client_at(URL) for _ in range(2)]
        with ThreadPoolExecutor(4) as threads:
            work = [
                threads.submit(change, admins[number % 2], {f"user.k{number}": "set"})
                for number in range(6)
            ]
            for one in work:
                one.result()
    assert sorted(server.config) == [f"user.k{number}" for number in range(6)]


@pytest.mark.parametrize(
    ("found", "limit", "written"),
    [
        (("Running", "2"), "1", ["01", "1"]),
        (("Running", None), "0-1,3", ["00-1,3", "0-1,3"]),
        (("Running", "2"), None, ["9999", None]),
        # A change that was cut off between the two.
        (("Running", "01"), "1", ["01", "1"]),
        (("Running", "1"), "1", ["1"]),
        (("Stopped", "2"), "1", ["1"]),
    ],
)
def test_cpus_of_a_running_instance_are_changed_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: tuple[str, str | None],
    limit: str | None,
    written: list[str | None],
) -> None:
    monkeypatch.setattr(rest, "have_place", lambda _remote: tmp_path)
    status, before = found
    server = SlowWriter(BOB | {"status": status})
    server.config = {} if before is None else {KEY: before}
    bob = f"{URL}/1.0/instances/bob"
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": HELLO})
        http.get(bob, json=server.show)
        http.put(bob, json=server.change)
        http.get(re.compile("/1.0/operations/op-[0-9]+/wait"), json=server.wait)
        http.get(f"{URL}/1.0/operations", json={"type": "sync", "metadata": {}})
        lxd = client_at(URL)
        lxd.update("bob", config={KEY: limit, "user.note": "kept"})
        bodies = [one.json()["config"] for one in http.request_history if one.method == "PUT"]
    assert [body.get(KEY) for body in bodies] == written
    assert ["user.note" in body for body in bodies] == [False] * (len(written) - 1) + [True]
    assert server.config.get(KEY) == limit
