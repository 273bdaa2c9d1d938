"""What a failure of LXD or of the way to it means, in our errors' words. Decides, does nothing."""

from __future__ import annotations

import os
import pwd
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import Conflict, LxdError, LxdSilent, LxdUnreachable, NotFound, PoolFull
from lab.machine.local_daemon import abandoned, how_to_start

# The last is what LXD says to the second of two who change one instance at the same moment.
_TAKEN = re.compile(r"already exists|matching non-reusable operation", re.IGNORECASE)
# Not a quota: that may be a container's own.
_FULL = re.compile(r"no space left on device", re.IGNORECASE)
_BUSY = re.compile(r"instance is busy running a", re.IGNORECASE)

_MANY: Final = 3
_MORE_SPACE: Final = "Free space in the storage pool (invoke prune-images) or enlarge it."

SEE_OPERATIONS: Final = "See which operations run: lxc operation list --all-projects"
AGAIN: Final = "Run the same command again."
"""Where what failed was another program's doing or a broken connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which daemon we talk to, as its owner knows it."""

    socket: Path | None = None
    """Set for the local daemon."""
    url: str = ""
    client_certificate: Path | None = None
    server_certificate: Path | None = None

    def __str__(self) -> str:
        return str(self.socket) if self.socket else self.url


def refused(what: str, text: str, *, status: int = 0) -> LxdError:
    """LXD answered, and the answer is no. WHAT is a verb phrase: `publish bob`."""
    brief = f"LXD could not {what}."
    # Operations that fail carry no code of their own: a taken name shows in the text alone.
    if status in {409, 412} or _TAKEN.search(text):
        return Conflict(brief, details=text)
    if status == 404:
        return NotFound(brief, details=text)
    if status == 403:
        return LxdUnreachable(brief, details=text, fix=_TRUST)
    if _FULL.search(text):
        return PoolFull(brief, details=_folded(text), fix=_MORE_SPACE)
    return LxdError(brief, details=text or None, fix=_way_on(text))


def _folded(text: str) -> str:
    """TEXT with one line of no space, and all its others: tar says it of each file."""
    lines = text.splitlines()
    full = [line for line in lines if _FULL.search(line)]
    if len(full) < _MANY:
        return text
    at = lines.index(full[0])
    rest = [line for line in lines[at + 1 :] if not _FULL.search(line)]
    return "\n".join([*lines[: at + 1], f"({len(full) - 1} more lines like this)", *rest])


def _way_on(text: str) -> str | None:
    """What helps against what LXD says in TEXT; None where that is not known."""
    if _BUSY.search(text):
        return f"Wait until it ends. {SEE_OPERATIONS}"
    return None


def alias_taken(what: str, aliases: Sequence[str]) -> Conflict:
    text = f"The alias {', '.join(aliases)} exists."
    return Conflict(f"LXD could not {what}.", details=text, fix=AGAIN)


def no_image(what: str, fingerprint: str) -> NotFound:
    """It was there when the instance was planned."""
    text = f"There is no image {fingerprint}."
    return NotFound(f"LXD could not {what}.", details=text, fix=AGAIN)


def silent(place: Place, what: str, seconds: float) -> LxdSilent:
    """LXD took the question and never answered."""
    return LxdSilent(
        f"LXD at {place} did not answer within {seconds:.0f} s.",
        details=f"The request was to {what}.",
        fix=SEE_OPERATIONS,
    )


def not_lxd(place: Place, found: str) -> LxdUnreachable:
    return LxdUnreachable(
        f"The server at {place} is not LXD.", details=found, fix="Check `remote` in lab.yaml"
    )


def untrusted(place: Place) -> LxdUnreachable:
    """The server does not trust our certificate, or we have none."""
    if place.client_certificate is None:
        return LxdUnreachable(
            f"LXD at {place} requires a client certificate; none is configured.",
            fix="Set `client-certificate` and `client-key` in lab.yaml.",
        )
    return LxdUnreachable(
        f"LXD at {place} does not trust the certificate {place.client_certificate}.", fix=_TRUST
    )


def unreachable(place: Place, error: BaseException) -> LxdUnreachable:
    """No connection was made; ERROR may be wrapped by the layers below."""
    causes = tuple(_chain(error))
    if place.socket is not None:
        return _socket_trouble(place.socket, causes)
    return _network_trouble(place, causes)


_TRUST = (
    "Copy the certificate to that server and run there: lxc config trust add client.crt\n"
    "or, with a token from `lxc config trust add --name lab`: lxc remote add lab TOKEN"
)


def _socket_trouble(path: Path, causes: tuple[BaseException, ...]) -> LxdUnreachable:
    if _first(causes, PermissionError):
        user = _user()
        return LxdUnreachable(
            f"{user} may not use LXD: permission denied on {path}.",
            fix=f"sudo usermod -aG lxd {user}\nthen log out and in again",
        )
    if not _first(causes, FileNotFoundError, ConnectionRefusedError):
        return LxdUnreachable(
            f"The connection to LXD at {path} was lost.",
            details=_innermost(causes),
            fix=how_to_start(path),
        )
    return LxdUnreachable(
        f"LXD is not running: nothing answers at {path}.",
        details=_looked_at(path),
        fix=how_to_start(path),
    )


def _looked_at(path: Path) -> str | None:
    if chosen := os.environ.get("LXD_DIR"):
        return f"LXD_DIR={chosen} is set in the environment."
    return "\n".join(f"Nothing answers at {one} either." for one in abandoned(path)) or None


def _user() -> str:
    # $USER may be the account that called sudo.
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _network_trouble(place: Place, causes: tuple[BaseException, ...]) -> LxdUnreachable:
    host = re.sub(r"^https://|:\d+$", "", place.url)
    # urllib3's and ssl's errors are told apart by text: the chain holds either, or both.
    texts = " ".join(str(cause) for cause in causes)
    if "Fingerprint" in texts and place.server_certificate is not None:
        return LxdUnreachable(
            f"The certificate of {place} differs from {place.server_certificate}.",
            details="Another machine answers there, or its certificate was replaced.",
            fix="Ask the server's admin whether the certificate was replaced. If it was, copy "
            "that server's /var/lib/lxd/server.crt here again.",
        )
    if _first(causes, ssl.SSLCertVerificationError):
        return LxdUnreachable(
            f"The certificate of {place} is not signed by a known authority.",
            fix="Copy that server's /var/lib/lxd/server.crt here and set its path in lab.yaml "
            "as `server-certificate`.",
        )
    if _first(causes, socket.gaierror) or "Failed to resolve" in texts:
        return LxdUnreachable(f"There is no host named {host}.", fix="Check `remote` in lab.yaml")
    if _first(causes, ConnectionRefusedError):
        return LxdUnreachable(
            f"{host} answers, but LXD does not listen at {place}.",
            fix="Run on that server: lxc config set core.https_address :8443",
        )
    if _first(causes, TimeoutError) or "timed out" in texts:
        return LxdUnreachable(
            f"{host} does not answer.",
            fix="Check `remote` in lab.yaml, and the firewalls between here and that server",
        )
    return LxdUnreachable(
        f"LXD at {place} cannot be reached.",
        details=_innermost(causes),
        fix="Check `remote`, `client-certificate` and `client-key` in lab.yaml",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """ERROR, and whatever it was raised from, wraps as an argument or keeps as its reason."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [other for other in inner if isinstance(other, BaseException)]


def _first(causes: tuple[BaseException, ...], *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in causes if isinstance(cause, kinds)), None)


def _innermost(causes: tuple[BaseException, ...]) -> str:
    return str(causes[-1]) or type(causes[-1]).__name__
