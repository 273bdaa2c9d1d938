"""HTTP to LXD: one `requests` session per server, over a unix socket or TLS."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection

from lab.lxd.certificates import fingerprint
from lab.lxd.errors import Place
from lab.machine.local_daemon import SOCKET, lxd_directory

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 60.0
SEND_TIMEOUT = 60.0
"""For one piece of what is sent: LXD writes it to a disk that others may keep busy."""
_SCHEME = "http+unix://"
# One a thread; more threads than that open connections that are closed after use.
_POOL_SIZE = 32


def local_socket(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the local daemon listens."""
    return lxd_directory(environ) / SOCKET


def socket_endpoint(path: Path) -> str:
    """The URL that stands for a socket, as pylxd spells it."""
    return _SCHEME + quote(str(path), safe="")


def socket_session() -> requests.Session:
    session = _blind_session()
    session.mount(_SCHEME, _SocketAdapter())
    return session


def tls_session(own: tuple[Path, Path] | None, server: Path | None) -> requests.Session:
    """OWN is the pair of certificate and key to show, SERVER the certificate to insist on."""
    session = _blind_session()
    session.cert = (str(own[0]), str(own[1])) if own else None
    if server is not None:
        # LXD signs its certificate itself: it is known by its fingerprint, not by an issuer.
        session.verify = False
        session.mount("https://", _PinnedAdapter(fingerprint(server)))
    return session


def dial(place: Place, own: tuple[str, str] | None) -> socket.socket:
    """A connection like those of the sessions, on which another protocol can be spoken."""
    if place.socket is not None:
        local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        local.settimeout(CONNECT_TIMEOUT)
        try:
            local.connect(str(place.socket))
        except OSError:
            local.close()
            raise
        return local
    url = urlsplit(place.url)
    plain = socket.create_connection((url.hostname, url.port or 443), timeout=CONNECT_TIMEOUT)
    try:
        return _encrypted(plain, url.hostname, own, place.server_certificate)
    except OSError:
        plain.close()
        raise


def host_of(place: Place) -> str:
    """As a request names it."""
    return "localhost" if place.socket is not None else urlsplit(place.url).netloc


def _encrypted(
    plain: socket.socket, host: str | None, own: tuple[str, str] | None, server: Path | None
) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    if server is not None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if own is not None:
        context.load_cert_chain(*own)
    line = context.wrap_socket(plain, server_hostname=host)
    shown = hashlib.sha256(line.getpeercert(binary_form=True) or b"").hexdigest()
    if server is not None and shown != fingerprint(server):
        line.close()
        raise ssl.SSLError("Fingerprints did not match.")
    return line


def _blind_session() -> requests.Session:
    """A session that ignores the environment's variables."""
    session = requests.Session()
    # REQUESTS_CA_BUNDLE would undo the pinning, and a proxy is not meant for the LAN.
    session.trust_env = False
    return session


class _PinnedAdapter(HTTPAdapter):
    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, assert_fingerprint=self._fingerprint, **kwargs)
        by_scheme = {**self.poolmanager.pool_classes_by_scheme, "https": _TlsPool}
        self.poolmanager.pool_classes_by_scheme = by_scheme


class _Patient(HTTPConnection):
    """urllib3 gives a whole body the time that it gives the connecting."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(SEND_TIMEOUT)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self.timeout = SEND_TIMEOUT  # what it sets where it is connected already
        super().request(*args, **kwargs)


class _TlsConnection(_Patient, HTTPSConnection):
    pass


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Socket(HTTPConnection):
    def __init__(self, path: str, **kwargs: Any) -> None:
        super().__init__("localhost", **kwargs)
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        self.sock = connection


class _SocketConnection(_Patient, _Socket):
    pass


class _SocketPool(urllib3.HTTPConnectionPool):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", maxsize=_POOL_SIZE)
        self._path = path

    def _new_conn(self) -> _SocketConnection:
        self.num_connections += 1
        return _SocketConnection(self._path)


class _SocketAdapter(HTTPAdapter):
    """One pool a socket.

    pylxd's own adapter keeps a pool for each URL and closes the eldest beyond 25 of them, also
    while another thread is about to take a connection from it.
    """

    def __init__(self) -> None:
        self._pools: dict[str, _SocketPool] = {}
        super().__init__()

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: Any, **__: Any
    ) -> Any:
        return self._pool(request.url or "")

    def get_connection(self, url: Any, *_: Any) -> Any:
        # What requests before 2.32 calls.
        return self._pool(str(url))

    def request_url(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> str:
        return request.path_url

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _pool(self, url: str) -> _SocketPool:
        path = unquote(urlsplit(url).netloc)
        # setdefault is one step under the interpreter's lock: two threads get the same pool.
        return self._pools.setdefault(path, _SocketPool(path))
