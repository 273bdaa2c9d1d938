"""One ssh public key in OpenSSH's one-line form, taken apart and judged (RFC 4253, 5656, 8709)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

_MIN_RSA_BITS = 2048
_POINT_BYTES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_COMMENT_LENGTH = 100


class BadKey(ValueError):
    """Why a line is no key that is taken, in words for its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    type: str
    blob: bytes
    comment: str

    @property
    def line(self) -> str:
        return " ".join(
            filter(None, (self.type, base64.b64encode(self.blob).decode(), self.comment))
        )


def looks_like_key(text: str) -> bool:
    """Whether TEXT is meant as a key itself, good or bad, rather than as the name of a file."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return (
        first in _JUDGES
        or first == "ssh-dss"
        or first.startswith(("-----BEGIN", "----", "PuTTY-User-Key-File"))
        or any(f" {known} AAAA" in text for known in _JUDGES)
    )


def fingerprint(line: str) -> str:
    """`SHA256:…` of a key in one-line form, as ssh-keygen -l shows it."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def parse_key(line: str) -> PublicKey:
    """The key in LINE; BadKey says why not."""
    words = line.strip().split(maxsplit=2)
    kind = words[0] if words else ""
    if kind == "ssh-dss":
        raise BadKey("ssh-dss (DSA) keys are broken and refused; make an ed25519 one")
    if kind.endswith("-cert-v01@openssh.com"):
        raise BadKey("this is a certificate; give the key itself")
    if kind not in _JUDGES:
        if any(word in _JUDGES for word in line.split()):
            raise BadKey("options before the key are not taken; begin with its type")
        raise BadKey("not an ssh public key")
    if len(words) < 2:
        raise BadKey(f"nothing follows {kind}")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey("the key's base64 is damaged or cut off") from error
    fields = _fields(blob)
    if fields[0] != kind.encode():
        raise BadKey(f"says {kind}, but holds a key of another type")
    _JUDGES[kind](fields[1:])
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
            raise BadKey("the key is cut off")
        fields.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    if not fields:
        raise BadKey("the key is empty")
    return fields


def _judge_ed25519(fields: list[bytes]) -> None:
    if [len(field) for field in fields] != [32]:
        raise BadKey("not a whole ed25519 key")


def _judge_sk_ed25519(fields: list[bytes]) -> None:
    if len(fields) != 2 or len(fields[0]) != 32:
        raise BadKey("not a whole sk-ssh-ed25519 key")


def _judge_rsa(fields: list[bytes]) -> None:
    if len(fields) != 2:
        raise BadKey("not a whole RSA key")
    bits = int.from_bytes(fields[1], "big").bit_length()
    if bits < _MIN_RSA_BITS:
        raise BadKey(f"an RSA key of {bits} bits is too short; at least {_MIN_RSA_BITS} are needed")


def _judge_ecdsa(curve: str, *, more: int) -> Callable[[list[bytes]], None]:
    """For CURVE with MORE fields after the point."""

    def judge(fields: list[bytes]) -> None:
        if (
            len(fields) != 2 + more
            or fields[0] != curve.encode()
            or len(fields[1]) != _POINT_BYTES[curve]
            or fields[1][0] != 4  # an uncompressed point, the only form ssh uses
        ):
            raise BadKey(f"not a whole {curve} key")

    return judge


def _clean(comment: str) -> str:
    """COMMENT without what could steer a terminal or end a line."""
    return "".join(char for char in comment if char.isprintable()).strip()[:_COMMENT_LENGTH]


_JUDGES: dict[str, Callable[[list[bytes]], None]] = {
    "ssh-ed25519": _judge_ed25519,
    "ssh-rsa": _judge_rsa,
    "ecdsa-sha2-nistp256": _judge_ecdsa("nistp256", more=0),
    "ecdsa-sha2-nistp384": _judge_ecdsa("nistp384", more=0),
    "ecdsa-sha2-nistp521": _judge_ecdsa("nistp521", more=0),
    "sk-ssh-ed25519@openssh.com": _judge_sk_ed25519,
    "sk-ecdsa-sha2-nistp256@openssh.com": _judge_ecdsa("nistp256", more=1),
}
