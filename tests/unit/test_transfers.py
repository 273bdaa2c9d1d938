"""Which of two servers connects to the other one, and what is told where neither can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests_mock

from lab.errors import LxdError
from lab.lxd.client import Client
from tests.support.builders.wired import client_at

HERE = "https://lab1.example:8443"
THERE = "https://lab2.example:8443"
DIAL = "dial tcp {}:8443: connect: connection refused"
Answer = dict[str, Any]


class Servers:
    """Two that send bob's home; OPEN says to which of them the other can connect."""

    def __init__(self, http: requests_mock.Mocker, *, into: frozenset[str]) -> None:
        self.into = into
        self.asked: list[str] = []
        self._ends: list[str] = []
        for url in (HERE, THERE):
            environment = {"certificate": "PEM", "addresses": []}
            hello = {"auth": "trusted", "environment": environment, "api_extensions": []}
            http.get(f"{url}/1.0", json={"type": "sync", "metadata": hello})
            http.get(f"{url}/1.0/operations/op/wait", json=self._end)
        homes = "storage-pools/default/volumes/custom"
        http.post(f"{THERE}/1.0/{homes}", json=self._receive)
        http.post(f"{HERE}/1.0/{homes}/home-bob", json=self._send)

    def _receive(self, request: Any, context: Any) -> Answer:
        mode = request.json()["source"]["mode"]
        self.asked.append(mode)
        # One that connects to nobody fails after it was begun.
        self._ends = [DIAL.format("lab1")] if mode == "pull" and "lab1" not in self.into else []
        return self._begun(context)

    def _send(self, request: Any, context: Any) -> Answer:
        if "target" in request.json() and "lab2" not in self.into:
            context.status_code = 500
            return {"type": "error", "error": DIAL.format("lab2"), "error_code": 500}
        return self._begun(context)

    def _begun(self, context: Any) -> Answer:
        context.status_code = 202
        told = {"metadata": {"control": "secret", "fs": "secret"}}
        return {"type": "async", "operation": "/1.0/operations/op", "metadata": told}

    def _end(self, _request: Any, _context: Any) -> Answer:
        failed = self._ends[0] if self._ends else ""
        code = 400 if failed else 200
        state: Answer = {"id": "op", "status_code": code, "err": failed, "metadata": {}}
        return {"type": "sync", "metadata": state}


@pytest.fixture
def http() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        yield mocker


def two(http: requests_mock.Mocker, *into: str) -> tuple[Client, Client, Servers]:
    servers = Servers(http, into=frozenset(into))
    lxds = [client_at(url) for url in (HERE, THERE)]
    return lxds[0], lxds[1], servers


def send(here: Client, there: Client) -> None:
    there.receive_volume(here, ("default", "home-bob"), "default", "home-bob", {})


def test_the_source_connects_where_it_can(http: requests_mock.Mocker) -> None:
    here, there, servers = two(http, "lab1", "lab2")
    send(here, there)
    send(here, there)
    assert servers.asked == ["push", "push"]


def test_where_only_the_target_can_that_is_tried_first_the_next_time(
    http: requests_mock.Mocker,
) -> None:
    here, there, servers = two(http, "lab1")
    send(here, there)
    assert servers.asked == ["push", "pull"]
    # To find out takes seconds, and now somebody waits for the end.
    send(here, there)
    assert servers.asked == ["push", "pull", "pull"]
    servers.into = frozenset({"lab2"})
    send(here, there)
    assert servers.asked[3:] == ["pull", "push"]


def test_where_neither_can_both_reasons_are_told(http: requests_mock.Mocker) -> None:
    here, there, _ = two(http)
    with pytest.raises(LxdError) as error:
        send(here, there)
    assert str(error.value) == (
        f"LXD could not receive the volume home-bob at {THERE} from {HERE}: neither server reaches "
        f"the other.\n  {DIAL.format('lab2')}\n  {DIAL.format('lab1')}\n"
        "Next: Open the port of core.https_address (8443 by default) from one server to the other."
    )
