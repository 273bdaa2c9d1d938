"""The real LXD behind the port: its calls put together, and the way to connect."""

from __future__ import annotations

from pathlib import Path

from lab.errors import InputError
from lab.lxd.attaching import AttachCalls
from lab.lxd.certificates import check_certificate, known_certificate, own_certificate
from lab.lxd.commands import CommandCalls
from lab.lxd.errors import Place
from lab.lxd.gpus import GpuCalls
from lab.lxd.local_files import LocalFileCalls
from lab.lxd.local_states import LocalStateCalls
from lab.lxd.port import Lxd
from lab.lxd.publishing import PublishCalls
from lab.lxd.receiving import ReceivingCalls
from lab.lxd.rest import Rest
from lab.lxd.server import ServerCalls
from lab.lxd.session import local_socket, socket_endpoint, socket_session, tls_session
from lab.lxd.snapshots import SnapshotCalls
from lab.lxd.transport import Transport, handshake
from lab.lxd.volume_snapshots import VolumeSnapshotCalls
from lab.lxd.volumes import VolumeCalls


class Client(
    ServerCalls,
    LocalStateCalls,
    LocalFileCalls,
    GpuCalls,
    PublishCalls,
    ReceivingCalls,
    SnapshotCalls,
    CommandCalls,
    AttachCalls,
    VolumeCalls,
    VolumeSnapshotCalls,
):
    """LXD through one connection; threads may share it."""

    @property
    def project(self) -> str:
        return self._project

    def in_project(self, name: str) -> Lxd:
        return Client(self._rest, name)


def connect(
    remote: str = "local",
    *,
    project: str = "default",
    client_certificate: Path | None = None,
    client_key: Path | None = None,
    server_certificate: Path | None = None,
) -> Lxd:
    """LXD at REMOTE: `local` for the daemon of this machine, else `https://HOST:8443`.

    Certificates that are not given are those of the `lxc` command, where it has any.
    """
    if remote == "local":
        return Client(Rest(_local()), project)
    if not remote.startswith("https://"):
        raise InputError(
            f'Invalid `remote`: "{remote}".',
            fix="Use `local`, or a URL such as https://lab.example:8443",
        )
    own = own_certificate(client_certificate, client_key)
    server = server_certificate or known_certificate(remote)
    return Client(Rest(_remote(remote.rstrip("/"), own, server)), project)


def _local() -> Transport:
    socket = local_socket()
    return handshake(Place(socket=socket), socket_endpoint(socket), socket_session())


def _remote(url: str, own: tuple[Path, Path] | None, server: Path | None) -> Transport:
    if server is not None:
        check_certificate("server-certificate", server)
    place = Place(url=url, client_certificate=own[0] if own else None, server_certificate=server)
    return handshake(place, url, tls_session(own, server))
