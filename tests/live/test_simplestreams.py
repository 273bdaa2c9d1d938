"""Building from an image server: a small one with HTTPS that serves a real image tree."""

from __future__ import annotations

import hashlib
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import make_pair
from tests.support.live_lab.lab import lxc, query
from tests.support.live_lab.tiny import PROJECT, Tiny, litter, plainly

pytestmark = pytest.mark.plain

ALIAS = "debian/test/cloud"
FOLDER = "images/debian/test/amd64/cloud/20261121_05"

NEXT = (
    "Next: Check that the server is reachable and has this alias, or set `source:` in lab.yaml.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageServer:
    url: str
    certificate: Path
    fingerprint: str
    """Of its only image."""
    asked: list[str]
    """The paths that were asked for."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: object, asked: list[str], **kwargs: object) -> None:
        self._asked = asked
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def server(
    source: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImageServer]:
    root = tmp_path_factory.mktemp("streams")
    fingerprint = _fill(root, source["name"])
    pair = make_pair(tmp_path_factory.mktemp("server"), "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    asked: list[str] = []
    handler = partial(_Quiet, directory=str(root), asked=asked)
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    url = f"https://localhost:{listener.server_port}"
    yield ImageServer(url=url, certificate=pair.certificate, fingerprint=fingerprint, asked=asked)
    listener.shutdown()
    listener.server_close()
    thread.join()


def _fill(root: Path, instance: str) -> str:
    """The tree of an image server with one image, made of INSTANCE; its fingerprint."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    _export(instance, folder)
    metadata, rootfs = folder / "lxd.tar.xz", folder / "root.tar.xz"
    both = hashlib.sha256(metadata.read_bytes() + rootfs.read_bytes()).hexdigest()
    product = {
        "aliases": ALIAS,
        "arch": "amd64",
        "os": "Debian",
        "release": "test",
        "release_title": "test",
        "variant": "cloud",
        "versions": {
            FOLDER.rsplit("/", 1)[1]: {
                "items": {
                    "lxd.tar.xz": {
                        **_item(root, metadata),
                        "ftype": "lxd.tar.xz",
                        "combined_rootxz_sha256": both,
                        "combined_sha256": both,
                    },
                    "root.tar.xz": {**_item(root, rootfs), "ftype": "root.tar.xz"},
                }
            }
        },
    }
    name = "debian:test:amd64:cloud"
    streams = root / "streams" / "v1"
    streams.mkdir(parents=True)
    updated = datetime.now(tz=timezone.utc).strftime("%a, %d %b %Y %H:%M:%S +0000")
    images = {"datatype": "image-downloads", "path": "streams/v1/images.json"}
    index = {
        "format": "index:1.0",
        "index": {"images": {**images, "updated": updated, "products": [name]}},
    }
    (streams / "index.json").write_text(json.dumps(index))
    (streams / "images.json").write_text(
        json.dumps(
            {
                "content_id": "images",
                "datatype": "image-downloads",
                "format": "products:1.0",
                "products": {name: product},
            }
        )
    )
    return both


def _export(instance: str, folder: Path) -> None:
    """INSTANCE as the two files that image servers have: metadata and root apart."""
    alias = "ft-exported"
    lxc("publish", instance, "--alias", alias, "--compression", "none")
    try:
        lxc("image", "export", alias, str(folder / "unified"))
    finally:
        lxc("image", "delete", alias)
    unified = next(folder.glob("unified*"))
    tree = folder / "tree"
    tree.mkdir()
    for argv in (
        ["tar", "-C", str(tree), "--numeric-owner", "-xpf", str(unified)],
        ["tar", "-C", str(tree), "-cf", str(folder / "lxd.tar.xz"), "metadata.yaml", "templates"],
        # Of the name that the format wants; LXD looks at what is in it.
        [
            *("tar", "-C", str(tree / "rootfs"), "--numeric-owner", "--xattrs"),
            *("-cf", str(folder / "root.tar.xz"), "."),
        ],
        ["rm", "-rf", str(tree), str(unified)],
    ):
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _item(root: Path, file: Path) -> dict[str, object]:
    return {
        "path": str(file.relative_to(root)),
        "size": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def test_a_server_whose_certificate_is_not_known(tiny: Tiny, server: ImageServer) -> None:
    # The first test: LXD keeps an index for an hour, and would not ask for it again.
    source = _source(server)
    del source["certificate"]
    tiny.set(source=source)
    said = tiny.lab.invoke("build-images")
    assert (said.code, _error(said.err, server)) == (
        2,
        "The image 'debian/test/cloud' could not be fetched from the image server {server}.\n"
        "  Failed getting remote image info: Failed getting image: Failed parsing stream: "
        'Get "{server}/streams/v1/index.json": x509: certificate signed by unknown authority\n'
        "Next: If this is the right server, set its certificate under `source:` in lab.yaml: "
        "certificate: FILE.pem\n",
    )


def test_a_template_is_built_from_an_image_server(tiny: Tiny, server: ImageServer) -> None:
    tiny.set(source=_source(server))
    said = tiny.lab.succeed("build-images")
    assert said.err.splitlines()[-1].split(" is current")[1].count("passed") == 1
    assert any(path.endswith("/root.tar.xz") for path in server.asked)
    assert litter() == []
    # The server's own image was in transit only.
    assert server.fingerprint not in {
        one["fingerprint"] for one in query("/1.0/images?recursion=1")
    }
    source = next(one for one in _instances() if one["name"].startswith("source-"))
    assert source["config"]["image.os"] == "Debian"


def _source(server: ImageServer) -> dict[str, str]:
    return {
        "kind": "simplestreams",
        "server": server.url,
        "alias": ALIAS,
        "certificate": str(server.certificate),
    }


def _instances() -> list[dict[str, Any]]:
    return list(query(f"/1.0/instances?recursion=1&project={PROJECT}"))


def test_an_alias_that_the_server_has_not(tiny: Tiny, server: ImageServer) -> None:
    tiny.set(source={**_source(server), "alias": "debian/tset"})
    said = tiny.lab.invoke("build-images")
    assert (said.code, _error(said.err, server)) == (
        2,
        "The image 'debian/tset' could not be fetched from the image server {server}.\n"
        "  Failed getting remote image info: Failed getting image: "
        "The requested image couldn't be found\n"
        f"{NEXT}",
    )


def test_a_server_that_does_not_answer(tiny: Tiny) -> None:
    tiny.set(source={"kind": "simplestreams", "server": "https://localhost:9", "alias": ALIAS})
    said = tiny.lab.invoke("build-images")
    assert (said.code, plainly(said.err).partition("error: ")[2]) == (
        2,
        "The image 'debian/test/cloud' could not be fetched from the image server "
        "https://localhost:9.\n"
        "  Failed getting remote image info: Failed getting image: Failed parsing stream: "
        'Get "https://localhost:9/streams/v1/index.json": Unable to connect to: localhost:9 '
        "([dial tcp 127.0.0.1:9: connect: connection refused])\n"
        f"{NEXT}",
    )


def _error(text: str, server: ImageServer) -> str:
    return plainly(text, server=server.url).partition("error: ")[2]
