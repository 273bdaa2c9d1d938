"""A second LXD on this machine, as another server that is reached over the network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.lxd.client import connect
from lab.lxd.port import Lxd
from tests.support.certificates import Pair
from tests.support.live_lab.lab import lxc, lxc_ended, query
from tests.support.live_lab.own_lxd import directory, run_sandbox

_BRIDGE = "lxdbrsecond"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of two LXDs, each of which the same client certificate is trusted by."""

    environ: Mapping[str, str]
    """What makes `lxc` and `invoke` here speak with it."""
    url: str
    certificate: Path
    lxd: Lxd
    """Over the network."""

    def lxc(self, *arguments: str) -> str:
        ended = lxc_ended(*arguments, environ={**os.environ, **self.environ})
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def query(self, path: str) -> Any:
        return json.loads(self.lxc("query", path))

    def as_remote(self) -> dict[str, str]:
        """For `remotes:` in lab.yaml."""
        return {"url": self.url, "server-certificate": str(self.certificate)}


@contextmanager
def second_server(place: Path, client: Pair) -> Iterator[Server]:
    """With a pool and a bridge of its own; gone afterwards."""
    home = directory("second")
    home.mkdir(parents=True)
    environ = {"LXD_DIR": str(home)}
    run_sandbox(home, "start")
    try:
        address = f"127.0.0.1:{free_port()}"
        _prepare(environ, address)
        yield _trusting(environ, f"https://{address}", place / "second.crt", client)
    finally:
        run_sandbox(home, "stop")
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def first_server(place: Path, client: Pair) -> Iterator[Server]:
    """The one that the tests share, as the second one reaches it."""
    listening = lxc("config", "get", "core.https_address").strip()
    address = listening or f"127.0.0.1:{free_port()}"
    if not listening:
        lxc("config", "set", "core.https_address", address)
    server = _trusting({}, f"https://{address}", place / "first.crt", client)
    try:
        yield server
    finally:
        for one in query("/1.0/certificates?recursion=1"):
            if one["name"] == client.certificate.stem:
                lxc("config", "trust", "remove", one["fingerprint"])
        if not listening:
            lxc("config", "unset", "core.https_address")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _prepare(environ: Mapping[str, str], address: str) -> None:
    root = {"type": "disk", "path": "/", "pool": "default"}
    nic = {"type": "nic", "name": "eth0", "network": _BRIDGE}
    wanted = {
        "config": {"core.https_address": address},
        "storage_pools": [{"name": "default", "driver": "btrfs", "config": {"size": "2GiB"}}],
        "networks": [
            {
                "name": _BRIDGE,
                "type": "bridge",
                "config": {"ipv4.address": "10.213.77.1/24", "ipv6.address": "none"},
            }
        ],
        "profiles": [{"name": "default", "devices": {"root": root, "eth0": nic}}],
    }
    subprocess.run(
        ["lxd", "init", "--preseed"],
        env={**os.environ, **environ},
        input=json.dumps(wanted),
        text=True,
        check=True,
        timeout=120,
    )


def _trusting(environ: Mapping[str, str], url: str, certificate: Path, client: Pair) -> Server:
    told = {**os.environ, **environ}
    arguments = ("config", "trust", "add", str(client.certificate))
    ended = lxc_ended(*arguments, "--name", client.certificate.stem, environ=told)
    assert ended.returncode == 0, ended.stderr
    hello = json.loads(lxc_ended("query", "/1.0", environ=told).stdout)
    certificate.write_text(hello["environment"]["certificate"])
    lxd = connect(
        url,
        client_certificate=client.certificate,
        client_key=client.key,
        server_certificate=certificate,
    )
    return Server(environ=environ, url=url, certificate=certificate, lxd=lxd)
