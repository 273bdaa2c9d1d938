"""A person's ssh keys: on the root disk and root's own, where no kept home brings others back.

They are written into the instance before its first start, so no sshd ever answers without them, and
whatever a lab's own cloud-init source says. The user's own file below the home is read as ever; a
key that was asked for once and is not any more is revoked, so it does not matter where it stands.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from lab.errors import NotFound
from lab.lxd.port import Lxd

CONFIG: Final = "/etc/ssh/sshd_config"
DROP_IN: Final = "/etc/ssh/sshd_config.d/00-labstamp.conf"
_OWN: Final = PurePosixPath("/etc/ssh/labstamp")
KEYS: Final = _OWN / "keys"
REVOKED: Final = _OWN / "revoked"

_HEAD: Final = "# By labstamp: keys that were asked for stand outside of the home."
_MAGIC: Final = b"SSHKRL\n\0"
_SHA256_SECTION: Final = 5
_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)


def give_keys(
    lxd: Lxd, name: str, account: str, keys: Sequence[str], revoked: Sequence[str]
) -> None:
    """Let ACCOUNT in by KEYS (lines), and nobody by those REVOKED (fingerprints).

    A second time changes nothing. NAME was never started, or nobody was able to log in yet.
    """
    lines = "".join(f"{key}\n" for key in keys)
    lxd.write_file(name, str(KEYS / account), lines.encode())
    if revoked:
        lxd.write_file(name, str(REVOKED), revocation_list(revoked))
    told = sshd_lines(revokes=bool(revoked))
    config = _config(lxd, name)
    if config is None or includes_drop_ins(config):
        lxd.write_file(name, DROP_IN, told.encode())
    elif not config.startswith(_HEAD):
        # An sshd from before 8.2, or a file of somebody's own. Of two values the first counts.
        lxd.write_file(name, CONFIG, told.encode() + config.encode(errors="surrogateescape"))


def sshd_lines(*, revokes: bool) -> str:
    lines = [
        _HEAD,
        f"AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 {KEYS}/%u",
        *([f"RevokedKeys {REVOKED}"] if revokes else []),
    ]
    return "".join(f"{line}\n" for line in lines)


def includes_drop_ins(config: str) -> bool:
    """Whether sshd reads sshd_config.d before CONFIG itself says whose keys let in."""
    for line in config.splitlines():
        words = line.split("#", 1)[0].replace("=", " ").split()
        word = words[0].lower() if words else ""
        if word == "include" and any(PurePosixPath(DROP_IN).match(each) for each in words[1:]):
            return True
        if word in {"authorizedkeysfile", "revokedkeys", "match"}:
            return False
    return False


def is_fingerprint(text: str) -> bool:
    return bool(_FINGERPRINT.fullmatch(text))


def revocation_list(fingerprints: Sequence[str]) -> bytes:
    """What `ssh-keygen -k` makes of `hash: SHA256:…` lines (OpenSSH's PROTOCOL.krl, 7.9 on)."""
    hashes = b"".join(_string(digest) for digest in sorted(map(_digest, fingerprints)))
    section = bytes([_SHA256_SECTION]) + _string(hashes)
    # Format 1, of no number and no date, without flags, reserved part and comment.
    return _MAGIC + struct.pack(">IQQQ", 1, 0, 0, 0) + _string(b"") * 2 + section


def _digest(fingerprint: str) -> bytes:
    try:
        return base64.b64decode(fingerprint.removeprefix("SHA256:") + "=", validate=True)
    except binascii.Error as error:
        raise ValueError(fingerprint) from error


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _config(lxd: Lxd, name: str) -> str | None:
    try:
        return lxd.read_file(name, CONFIG).decode(errors="surrogateescape")
    except NotFound:
        return None
