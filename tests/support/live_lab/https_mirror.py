"""The host's own apt mirror over https, with a certificate of an authority that nobody knows."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.machine.apt_sources import Mirrors
from tests.support.live_lab.aptrepo import bridge_address

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsMirror:
    mirrors: Mirrors
    authority: Path
    """The certificate that signed the server's."""
    asked: list[str]
    """The paths that were asked for."""


class _Forwarder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: object, to: dict[str, str], asked: list[str]) -> None:
        self._to = to
        self._asked = asked
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._asked.append(self.path)
        archive, _, rest = self.path.lstrip("/").partition("/")
        answer = requests.get(
            f"{self._to[archive]}/{rest}", timeout=60, headers={"Accept-Encoding": "identity"}
        )
        content = answer.content if answer.ok else b""
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def https_mirror(directory: Path, host: Mirrors) -> Iterator[HttpsMirror]:
    """What HOST names, passed on from an address that containers reach, too."""
    address = bridge_address()
    authority = _make_certificates(directory, address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    asked: list[str] = []
    to = {"main": host.main or "", "security": host.security or host.main or ""}
    handler = partial(_Forwarder, to=to, asked=asked)
    with http.server.ThreadingHTTPServer((address, 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://{address}:{server.server_port}"
        mirrors = Mirrors(main=f"{url}/main", security=f"{url}/security")
        yield HttpsMirror(mirrors=mirrors, authority=authority, asked=asked)
        server.shutdown()


def _make_certificates(directory: Path, address: str) -> Path:
    """An authority, and by it a server's certificate for ADDRESS."""
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    own = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "labstamp tests' authority")])
    base = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    root = (
        base.subject_name(name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(own, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    served = (
        base.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
            critical=False,
        )
        .sign(own, hashes.SHA256())
    )
    (directory / "server.crt").write_bytes(served.public_bytes(_PEM))
    (directory / "server.key").write_bytes(
        key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    authority = directory / "authority.crt"
    authority.write_bytes(root.public_bytes(_PEM))
    return authority
