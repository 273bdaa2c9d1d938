"""Signed apt repositories of STAND-INS for NVIDIA's packages, on the containers' bridge."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.live_lab.lab import query

PACKAGE = "nvidia-container-toolkit"
VERSION = "0.0-standin1"
_CONTROL = f"""\
Package: {PACKAGE}
Version: {VERSION}
Architecture: all
Maintainer: labstamp tests <tests@lab.example>
Description: STAND-IN of labstamp's tests, not NVIDIA's software
"""
# What NVIDIA's package has there, as far as labstamp touches it.
_CONFIG = """\
disable-require = false

[nvidia-container-cli]
environment = []
load-kmods = true
#no-cgroups = false
"""
_RUNTIME = "#!/bin/sh\necho 'a stand-in of the tests' >&2\nexit 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class AptRepository:
    url: str
    key: Path
    """What it is signed with, armoured."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@contextmanager
def apt_repository(directory: Path) -> Iterator[AptRepository]:
    """One with the container toolkit; its files are in DIRECTORY/files."""
    with serve(directory, [_toolkit(directory)]) as repository:
        yield repository


@contextmanager
def serve(directory: Path, packages: Sequence[Path]) -> Iterator[AptRepository]:
    """One without suites, as NVIDIA's are, that has these .deb files, copied to DIRECTORY/files."""
    files = directory / "files"
    files.mkdir(parents=True)
    for package in packages:
        shutil.copy(package, files)
    key = directory / "standin.asc"
    make_key(directory / "gnupg", key)
    _index(files, directory / "gnupg")
    handler = partial(_Quiet, directory=str(files))
    with http.server.ThreadingHTTPServer((bridge_address(), 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield AptRepository(url=f"http://{bridge_address()}:{server.server_port}", key=key)
        server.shutdown()


def bridge_address() -> str:
    """The host's own address where containers reach it."""
    devices = query("/1.0/profiles/default")["devices"].values()
    network = next(one["network"] for one in devices if one["type"] == "nic")
    address: str = query(f"/1.0/networks/{network}")["config"]["ipv4.address"]
    return address.partition("/")[0]


def make_key(home: Path, key: Path) -> None:
    """A key of nobody's in a keyring of its own; its public half goes to KEY."""
    home.mkdir(mode=0o700)
    parameters = ["--passphrase", "", "--quick-gen-key", "standin@lab.example", "ed25519", "sign"]
    _gpg(home, *parameters)
    key.write_bytes(_gpg(home, "--armor", "--export"))
    _end_agent(home)


def _toolkit(directory: Path) -> Path:
    tree = directory / "tree"
    for path, text, mode in (
        ("DEBIAN/control", _CONTROL, 0o644),
        ("etc/nvidia-container-runtime/config.toml", _CONFIG, 0o644),
        ("usr/bin/nvidia-container-runtime", _RUNTIME, 0o755),
    ):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
        (tree / path).chmod(mode)
    package = directory / f"{PACKAGE}_{VERSION}_all.deb"
    _run("dpkg-deb", "--build", "--root-owner-group", str(tree), str(package))
    return package


def _index(files: Path, home: Path) -> None:
    index = "\n".join(_entry(package) for package in sorted(files.glob("*.deb")))
    (files / "Packages").write_text(index)
    release = files.parent / "Release"
    release.write_text(
        "Origin: labstamp tests, a STAND-IN\nDate: Sat, 21 Nov 2026 12:00:00 UTC\n"
        f"SHA256:\n {_sha(index.encode())} {len(index)} Packages\n"
    )
    (files / "InRelease").write_bytes(_gpg(home, "--clearsign", "--output", "-", str(release)))
    _end_agent(home)


def _entry(package: Path) -> str:
    content = package.read_bytes()
    control = _run("dpkg-deb", "--field", str(package)).decode()
    return f"{control}Filename: ./{package.name}\nSize: {len(content)}\nSHA256: {_sha(content)}\n"


def _end_agent(home: Path) -> None:
    """gpg starts one for each keyring and leaves it behind."""
    _run("gpgconf", "--homedir", str(home), "--kill", "all")


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _gpg(home: Path, *arguments: str) -> bytes:
    return _run("gpg", "--homedir", str(home), "--batch", "--quiet", *arguments)


def _run(*argv: str) -> bytes:
    return subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
