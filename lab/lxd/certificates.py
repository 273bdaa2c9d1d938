"""The certificates for an LXD on another machine: those of the settings, or of `lxc`'s own."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

from lab.errors import InputError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SNAP = Path("~/snap/lxd/common/config")
_PACKAGE = Path("~/.config/lxc")
_CORRECT = "Correct the path in lab.yaml."


def own_certificate(certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    """The pair that says who we are; None where there is none."""
    if certificate is None and key is None:
        pair = (_home() / "client.crt", _home() / "client.key")
        return pair if all(file.exists() for file in pair) else None
    if certificate is None or key is None:
        given, missing = (
            ("client-certificate", "client-key")
            if key is None
            else ("client-key", "client-certificate")
        )
        raise InputError(f"{given} is set without {missing}.", fix="Set both in lab.yaml.")
    check_certificate("client-certificate", certificate)
    if not key.is_file():
        raise InputError(f"client-key: there is no file {key}.", fix=_CORRECT)
    return certificate, key


def known_certificate(url: str) -> Path | None:
    """What `lxc remote add` kept of the server at URL."""
    host = re.sub(r"^https://\[?|\]?(:\d+)?$", "", url)
    kept = _home() / "servercerts" / f"{host}.crt"
    return kept if kept.exists() else None


def check_certificate(setting: str, file: Path) -> None:
    """Refuse what would only fail deep within TLS."""
    if not file.is_file():
        raise InputError(f"{setting}: there is no file {file}.", fix=_CORRECT)
    if not _PEM.search(file.read_text(errors="replace")):
        raise InputError(f"{setting}: {file} is not a certificate in PEM form.", fix=_CORRECT)


def fingerprint(file: Path) -> str:
    """The SHA-256 of the first certificate in FILE, as hex."""
    found = _PEM.search(file.read_text())
    der = ssl.PEM_cert_to_DER_cert(found[0]) if found else b""
    return hashlib.sha256(der).hexdigest()


def _home() -> Path:
    snap = _SNAP.expanduser()
    return snap if (snap / "client.crt").exists() else _PACKAGE.expanduser()
