"""One ssh public key in OpenSSH's one-line form, taken apart and judged (RFC 4253, 5656, 8709)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

_MIN_RSA_BITS = 2048
_COMMENT_LENGTH = 100
_TYPES: Final = {
    "ssh-ed25519": "ed25519",
    "ssh-rsa": "RSA",
    "ecdsa-sha2-nistp256": "nistp256",
    "ecdsa-sha2-nistp384": "nistp384",
    "ecdsa-sha2-nistp521": "nistp521",
    "sk-ssh-ed25519@openssh.com": "sk-ssh-ed25519",
    "sk-ecdsa-sha2-nistp256@openssh.com": "sk-ecdsa nistp256",
}
"""The types that are taken, and what each is called in messages."""


class BadKey(ValueError):
    """Why a line is not accepted as a key, for its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that is taken: `parse_key` alone makes one."""

    type: str
    blob: bytes
    comment: str

    @property
    def line(self) -> str:
        return " ".join(
            filter(None, (self.type, base64.b64encode(self.blob).decode(), self.comment))
        )

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as ssh-keygen -l shows it."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def looks_like_key(text: str) -> bool:
    """Whether TEXT is meant as a key itself, good or bad, rather than as the name of a file."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return (
        first in _TYPES
        or first == "ssh-dss"
        or first.startswith(("-----BEGIN", "----", "PuTTY-User-Key-File"))
        or any(f" {known} AAAA" in text for known in _TYPES)
    )


def parse_key(line: str) -> PublicKey:
    """The key in LINE; BadKey says why not."""
    words = line.strip().split(maxsplit=2)
    kind = words[0] if words else ""
    if kind == "ssh-dss":
        raise BadKey("ssh-dss (DSA) keys are insecure and refused; make an ed25519 key")
    if kind.endswith("-cert-v01@openssh.com"):
        raise BadKey("this is a certificate; give the public key itself")
    if kind not in _TYPES:
        if any(word in _TYPES for word in line.split()):
            raise BadKey("options before the key are not accepted; begin with the key type")
        raise BadKey("not an ssh public key")
    if len(words) < 2:
        raise BadKey(f"no key follows {kind}")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey("the key's base64 is damaged or incomplete") from error
    fields = _fields(blob)
    if fields[0] != kind.encode():
        raise BadKey(f"the line says {kind}, but contains a key of another type")
    _judge(kind, b" ".join((kind.encode(), base64.b64encode(blob))))
    return PublicKey(type=kind, blob=blob, comment=_clean(words[2] if len(words) > 2 else ""))


def type_of(blob: bytes) -> str:
    """The type that BLOB itself names; BadKey where it is cut off."""
    return _fields(blob)[0].decode("ascii", errors="replace")


def _fields(blob: bytes) -> list[bytes]:
    """The length-prefixed strings that BLOB consists of."""
    fields: list[bytes] = []
    rest = blob
    while rest:
        length = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + length or len(rest) < 4:
            raise BadKey("the key is incomplete")
        fields.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    if not fields:
        raise BadKey("the key is empty")
    return fields


def _judge(kind: str, line: bytes) -> None:
    """BadKey where cryptography cannot read the key of KIND in LINE, or it is too short."""
    try:
        key = load_ssh_public_key(line)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"not a complete {_TYPES[kind]} key") from error
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise BadKey(
            f"an RSA key of {key.key_size} bits is too short; at least {_MIN_RSA_BITS} are needed"
        )


def _clean(comment: str) -> str:
    """COMMENT without what could steer a terminal or end a line."""
    return "".join(char for char in comment if char.isprintable()).strip()[:_COMMENT_LENGTH]
