"""Instances that LXD could not start, what is done after a start, and before another name."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests_mock

from lab.errors import InstanceCorrupted, LxdError
from lab.lxd.errors import Place
from lab.lxd.instances import InstanceCalls
from lab.lxd.power import PowerCalls
from lab.lxd.rest import Rest
from lab.lxd.session import tls_session
from lab.lxd.transport import handshake
from tests.unit.test_local_states import process

URL = "https://lab.example:8443"
HELLO = {"auth": "trusted", "environment": {}, "api_extensions": []}


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        (
            "Failed to handle idmapped storage: Failed to change ownership of: /pool/bob/rootfs/x",
            InstanceCorrupted,
        ),
        ("Failed preparing container for start", LxdError),
    ],
)
def test_one_whose_files_were_half_given_away_is_spoiled(why: str, kind: type[LxdError]) -> None:
    bob = f"{URL}/1.0/instances/bob"
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": HELLO})
        http.get(bob, json={"type": "sync", "metadata": {"name": "bob", "status": "Stopped"}})
        http.put(f"{bob}/state", status_code=400, json={"type": "error", "error": why})
        http.get(f"{bob}/logs/lxc.log", text="the instance's own log")
        rest = Rest(handshake(Place(url=URL), URL, tls_session(None, None)))
        with pytest.raises(LxdError) as caught:
            PowerCalls(rest, "default").start("bob")
    assert type(caught.value) is kind
    assert str(caught.value) == (f"LXD could not start bob.\n  {why}\n  the instance's own log")


def test_after_a_start_the_kernel_holds_it_to_its_limit_alone(tmp_path: Path) -> None:
    """As LXD 5.0.2 leaves it with cgroup v2."""
    lxd, cgroup = tmp_path / "lxd", tmp_path / "cgroup" / "lxc.payload.bob"
    process(tmp_path, 1, "/sbin/init\0", "10 ")
    process(tmp_path, 10, f"[lxc monitor] {lxd}/containers bob\0", "11 ")
    process(tmp_path, 11, "/sbin/init\0", uid=1000000, numbers="\t1")
    (tmp_path / "11" / "cgroup").write_text("0::/lxc.payload.bob/init.scope\n")
    cgroup.mkdir(parents=True)
    for name, text in {
        "memory.max": "1073741824",
        "memory.low": "966367641",
        "memory.high": "max",
        "memory.stat": "anon 1\nshmem 1\n",
    }.items():
        (cgroup / name).write_text(f"{text}\n")
    bob = f"{URL}/1.0/instances/bob"
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": HELLO})
        http.get(bob, json={"type": "sync", "metadata": {"name": "bob", "status": "Stopped"}})
        http.put(f"{bob}/state", json={"type": "sync", "metadata": {}})
        place = Place(socket=lxd / "unix.socket")
        calls = PowerCalls(Rest(handshake(place, URL, tls_session(None, None))), "default")
        calls.proc, calls.cgroups = tmp_path, tmp_path / "cgroup"
        calls.start("bob")
    assert ((cgroup / "memory.low").read_text(), (cgroup / "memory.max").read_text()) == (
        "0",
        "1073741824\n",
    )


def test_what_serves_its_files_is_ended_before_it_is_renamed() -> None:
    """It would hold the root under the former name."""
    done: list[str] = []

    class Noting(InstanceCalls):
        def _end_file_server(self, name: str) -> bool:
            done.append(f"end {name}")
            return True

    def renamed(request: requests_mock.request._RequestObjectProxy, _: object) -> object:
        done.append(f"rename to {request.json()['name']}")
        return {"type": "sync", "metadata": {}}

    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": HELLO})
        http.post(f"{URL}/1.0/instances/bob", json=renamed)
        rest = Rest(handshake(Place(url=URL), URL, tls_session(None, None)))
        Noting(rest, "default").rename("bob", "robert")
    assert done == ["end bob", "rename to robert"]
