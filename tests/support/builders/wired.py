"""A gateway at an address, whose answers a test gives."""

from __future__ import annotations

from lab.lxd.client import Client
from lab.lxd.errors import Place
from lab.lxd.rest import Rest
from lab.lxd.session import tls_session
from lab.lxd.transport import handshake


def client_at(url: str) -> Client:
    return Client(Rest(handshake(Place(url=url), url, tls_session(None, None))), "default")
