"""ssh public keys made up byte by byte; nobody has the private halves."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provision.keys.public_key import PublicKey, parse_key

_CURVES: dict[str, type[ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1]] = {
    "nistp256": ec.SECP256R1,
    "nistp384": ec.SECP384R1,
    "nistp521": ec.SECP521R1,
}


def wire(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def line(kind: str, *fields: bytes, comment: str = "") -> str:
    blob = base64.b64encode(wire(kind.encode(), *fields)).decode()
    return f"{kind} {blob} {comment}".rstrip()


def ed25519(seed: int = 1, comment: str = "bob@desk") -> str:
    return line("ssh-ed25519", bytes([seed]) * 32, comment=comment)


def key(seed: int = 1, comment: str = "bob@desk") -> PublicKey:
    return parse_key(ed25519(seed, comment))


def fingerprint(text: str) -> str:
    return parse_key(text).fingerprint


def rsa(bits: int) -> str:
    modulus = b"\0" + (1 << (bits - 1)).to_bytes((bits + 7) // 8, "big")
    return line("ssh-rsa", b"\x01\x00\x01", modulus)


def point(curve: str) -> bytes:
    """A point on CURVE, as ssh writes it: its generator, the public key to the private key 1."""
    public = ec.derive_private_key(1, _CURVES[curve]()).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def ecdsa(curve: str) -> str:
    return line(f"ecdsa-sha2-{curve}", curve.encode(), point(curve))
