"""Reaching LXD, and being let in: on this machine and on another one, through the command line."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.lxd.session import local_socket
from tests.live.conftest import settings_file
from tests.support.certificates import Pair, make_pair
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.lab import ROOT, Lab, lxc, query

AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups -- /media/bin/python -m invoke list"
CLIENT = "ft-client"
CONTAINER = "ft-seen"


def test_no_daemon(lab: Lab, tmp_path: Path) -> None:
    for command in (["list"], ["build-images"], ["provision", "bob", "--password"]):
        said = lab.invoke(*command, LXD_DIR=str(tmp_path))
        assert (said.code, said.out) == (4, "")
        lines = said.err.splitlines()
        assert lines[:2] == [
            f"error: LXD is not running: nothing answers at {tmp_path}/unix.socket.",
            f"  LXD_DIR={tmp_path} is set in the environment.",
        ]
        assert lines[2:] in (
            ["Next: sudo systemctl start lxd"],
            ["Next: sudo ci/sandbox start"],
        )


def test_an_account_without_the_right_to_use_lxd() -> None:
    # Bound to places that every account can read, wherever the checkout and its Python are.
    bound = f"mount --bind '{ROOT}' /mnt && mount --bind '{sys.prefix}' /media"
    script = f"{bound} && cd /mnt && exec {AS_NOBODY}"
    said = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={
            **os.environ,
            "HOME": "/nonexistent",
            "PYTHONDONTWRITEBYTECODE": "1",
            # Not the checkout's own lab.yaml, which may name another server.
            "LAB_SETTINGS": "/dev/null",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    place = local_socket()
    assert (said.returncode, said.stderr) == (
        4,
        f"error: nobody may not use LXD: permission denied on {place}.\n"
        "Next: sudo usermod -aG lxd nobody\n"
        "      then log out and in again\n",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """The machine's LXD, as one that is reached over the network."""

    url: str
    certificate: Path


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    listening = lxc("config", "get", "core.https_address").strip()
    address = listening or f"127.0.0.1:{_free_port()}"
    if not listening:
        lxc("config", "set", "core.https_address", address)
    certificate = tmp_path_factory.mktemp("far") / "server.crt"
    certificate.write_text(query("/1.0")["environment"]["certificate"])
    yield Far(url=f"https://{address}", certificate=certificate)
    if not listening:
        lxc("config", "unset", "core.https_address")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("client"), CLIENT)


@pytest.fixture
def trusted(client: Pair) -> Iterator[Pair]:
    lxc("config", "trust", "add", str(client.certificate), "--name", CLIENT)
    yield client
    for one in query("/1.0/certificates?recursion=1"):
        if one["name"] == CLIENT:
            lxc("config", "trust", "remove", one["fingerprint"])


def _remote(directory: Path, url: str, client: Pair, server: Path) -> Lab:
    settings = settings_file(
        directory / "lab.yaml",
        remote=url,
        client_certificate=client.certificate,
        client_key=client.key,
        server_certificate=server,
    )
    return Lab(settings=settings)


@pytest.fixture
def user(lab: Lab, key: Path) -> Iterator[str]:
    """Somebody's container."""
    name, public = "ft-far", str(key.with_suffix(".pub"))
    destroy(lab, [name])
    lab.succeed("provision", name, "--template", "base", "--key", public, "--gpus", "none")
    yield name
    destroy(lab, [name])


def test_another_machine_s_lxd(
    lab: Lab, user: str, far: Far, trusted: Pair, tmp_path: Path
) -> None:
    """The same lab, looked at from elsewhere: nothing is stale there that is not stale here."""
    there = lab.also(
        tmp_path / "lab.yaml",
        remote=far.url,
        client_certificate=trusted.certificate,
        client_key=trusted.key,
        server_certificate=far.certificate,
    )
    seen = there.succeed("images", "--json").document
    assert seen == lab.succeed("images", "--json").document
    releases = [version for one in seen["templates"] for version in one["versions"]]
    assert len(releases) >= len(seen["templates"]) == 4
    assert [one["stale"] for one in seen["templates"]] == [None] * 4
    assert user in _containers(there)
    assert _containers(there) == _containers(lab)


def _containers(lab: Lab) -> list[str]:
    return [one["name"] for one in lab.succeed("list", "--json").document["containers"]]


def test_a_client_that_is_not_trusted(far: Far, client: Pair, tmp_path: Path) -> None:
    said = _remote(tmp_path, far.url, client, far.certificate).invoke("images")
    assert (said.code, said.out, said.err) == (
        4,
        "",
        f"error: LXD at {far.url} does not trust the certificate {client.certificate}.\n"
        "Next: Copy the certificate to that server and run there: lxc config trust add client.crt\n"
        "      or, with a token from `lxc config trust add --name lab`: lxc remote add lab TOKEN\n",
    )


def test_another_machine_that_answers_in_its_place(far: Far, client: Pair, tmp_path: Path) -> None:
    """A server with a certificate of its own where the lab's LXD is expected."""
    pair = make_pair(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_greet_all, args=(listener, context), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        said = _remote(tmp_path, url, client, far.certificate).invoke("list")
    assert (said.code, said.out, said.err) == (
        4,
        "",
        f"error: The certificate of {url} differs from {far.certificate}.\n"
        "  Another machine answers there, or its certificate was replaced.\n"
        "Next: Ask the server's admin whether the certificate was replaced. If it was, copy that "
        "server's /var/lib/lxd/server.crt here again.\n",
    )


def _greet_all(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands until LISTENER is closed; nobody who looks at the certificate goes on."""
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with suppress(ssl.SSLError):
                context.wrap_socket(connection, server_side=True).close()
