"""An LXD on another machine: a real TLS conversation with a server of our own."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import InputError, LxdUnreachable
from lab.lxd.client import connect
from tests.support.certificates import Pair, make_pair


class Lxd(http.server.BaseHTTPRequestHandler):
    """Trusts whoever shows a certificate, as far as anybody can tell from outside."""

    def do_GET(self) -> None:
        shown = isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert(
            binary_form=True
        )
        metadata = {
            "auth": "trusted" if shown else "untrusted",
            "environment": {"server_version": "5.0.2", "server_name": "far"},
            "api_extensions": ["projects"],
        }
        body = json.dumps({"type": "sync", "metadata": metadata}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificates of whoever runs the tests stay out of it; so does the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/bundle.pem")


@pytest.fixture
def client(tmp_path: Path) -> Pair:
    return make_pair(tmp_path, "client")


@pytest.fixture
def server(tmp_path: Path, client: Pair) -> Iterator[tuple[str, Pair]]:
    pair = make_pair(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(client.certificate)
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lxd)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{listener.server_port}", pair
    listener.shutdown()
    listener.server_close()
    thread.join()


def test_a_server_with_the_known_certificate_is_talked_to(
    server: tuple[str, Pair], client: Pair
) -> None:
    url, pair = server
    lxd = connect(
        url + "/",
        client_certificate=client.certificate,
        client_key=client.key,
        server_certificate=pair.certificate,
    )
    assert lxd.server().name == "far"


def test_the_certificates_of_lxc_are_used_where_none_are_set(
    server: tuple[str, Pair], client: Pair, tmp_path: Path
) -> None:
    url, pair = server
    kept = tmp_path / ".config/lxc/servercerts"
    kept.mkdir(parents=True)
    (kept / "127.0.0.1.crt").write_bytes(pair.certificate.read_bytes())
    (kept.parent / "client.crt").write_bytes(client.certificate.read_bytes())
    (kept.parent / "client.key").write_bytes(client.key.read_bytes())
    assert connect(url).server().name == "far"


def test_another_certificate_is_another_machine(
    server: tuple[str, Pair], client: Pair, tmp_path: Path
) -> None:
    url, _ = server
    other = make_pair(tmp_path, "other").certificate
    with pytest.raises(LxdUnreachable) as caught:
        connect(
            url,
            client_certificate=client.certificate,
            client_key=client.key,
            server_certificate=other,
        )
    assert str(caught.value) == (
        f"The certificate of {url} differs from {other}.\n"
        "  Another machine answers there, or its certificate was replaced.\n"
        "Next: Ask the server's admin whether the certificate was replaced. If it was, copy that "
        "server's /var/lib/lxd/server.crt here again."
    )


def test_a_certificate_that_nobody_knows_is_not_believed(server: tuple[str, Pair]) -> None:
    url, _ = server
    with pytest.raises(LxdUnreachable) as caught:
        connect(url)
    assert str(caught.value) == (
        f"The certificate of {url} is not signed by a known authority.\n"
        "Next: Copy that server's /var/lib/lxd/server.crt here and set its path in lab.yaml as "
        "`server-certificate`."
    )


def test_a_stranger_is_told_to_introduce_himself(server: tuple[str, Pair]) -> None:
    url, pair = server
    with pytest.raises(LxdUnreachable) as caught:
        connect(url, server_certificate=pair.certificate)
    assert str(caught.value) == (
        f"LXD at {url} requires a client certificate; none is configured.\n"
        "Next: Set `client-certificate` and `client-key` in lab.yaml."
    )


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(LxdUnreachable) as caught:
        connect("https://lab.invalid:8443")
    assert str(caught.value) == (
        "There is no host named lab.invalid.\nNext: Check `remote` in lab.yaml"
    )


def test_a_host_without_lxd_is_told_from_one_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(LxdUnreachable) as caught:
            connect(url)
    assert str(caught.value) == (
        f"127.0.0.1 answers, but LXD does not listen at {url}.\n"
        "Next: Run on that server: lxc config set core.https_address :8443"
    )


def test_settings_that_cannot_work_are_refused_before_connecting(
    tmp_path: Path, client: Pair
) -> None:
    def said(
        *,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        server_certificate: Path | None = None,
    ) -> str:
        with pytest.raises(InputError) as caught:
            connect(
                "https://lab.invalid:8443",
                client_certificate=client_certificate,
                client_key=client_key,
                server_certificate=server_certificate,
            )
        return str(caught.value)

    correct = "\nNext: Correct the path in lab.yaml."
    missing = tmp_path / "missing.crt"
    assert said(client_certificate=client.certificate) == (
        "client-certificate is set without client-key.\nNext: Set both in lab.yaml."
    )
    assert said(client_key=client.key) == (
        "client-key is set without client-certificate.\nNext: Set both in lab.yaml."
    )
    assert said(client_certificate=missing, client_key=client.key) == (
        f"client-certificate: there is no file {missing}.{correct}"
    )
    assert said(client_certificate=client.key, client_key=client.key) == (
        f"client-certificate: {client.key} is not a certificate in PEM form.{correct}"
    )
    assert said(server_certificate=missing) == (
        f"server-certificate: there is no file {missing}.{correct}"
    )
    with pytest.raises(InputError) as caught:
        connect("lab.example")
    assert str(caught.value) == (
        'Invalid `remote`: "lab.example".\n'
        "Next: Use `local`, or a URL such as https://lab.example:8443"
    )
