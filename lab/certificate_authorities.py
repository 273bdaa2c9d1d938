"""Certificate authorities of a lab's own (`ca-certificates:` in lab.yaml), and what lacks one."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lab.errors import InputError

STORE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where this machine keeps those that it trusts, all in one file."""

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_UNTRUSTED: Final = re.compile(
    r"^(?:W:|E:|Err:).*certificate verification.*$", re.IGNORECASE | re.MULTILINE
)


def read_authorities(files: Iterable[Path]) -> tuple[str, ...]:
    """The certificates in FILES, each as one PEM block; InputError for a file of another kind."""
    found: dict[str, None] = {}
    for file in files:
        found.update(dict.fromkeys(_certificates(file)))
    return tuple(found)


def untrusted(output: str) -> tuple[str, str] | None:
    """Of apt's OUTPUT: what it says of a certificate that it does not trust, and the way out."""
    match = _UNTRUSTED.search(output)
    if match is None:
        return None
    said = match.group(0).strip()
    if "issuer is unknown" in said:
        return said, "Name the authority that signed it: `ca-certificates: [FILE]` in lab.yaml."
    return said, "Check that the certificate has not expired, and names the host of the URL."


def _certificates(file: Path) -> tuple[str, ...]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _refused(file, f"It cannot be read: {error.strerror}.") from error
    if b"PRIVATE KEY" in content:
        raise _refused(file, "It contains a private key, which must not get into images.")
    text = content.decode(errors="replace").replace("\r\n", "\n")
    # As Windows exports them: one certificate, not armoured.
    blocks = [ssl.DER_cert_to_PEM_cert(content)] if content[:1] == b"\x30" else _PEM.findall(text)
    if not blocks:
        raise _refused(file, "It contains no certificate.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(blocks))
    except (ssl.SSLError, ValueError) as error:
        raise _refused(file, "A certificate in it is damaged.") from error
    return tuple(block.strip() for block in blocks)


def _refused(file: Path, why: str) -> InputError:
    return InputError(
        f"The certificate {file} cannot be used.",
        details=why,
        fix="Correct `ca-certificates:` in lab.yaml: files with certificates in PEM form.",
    )
