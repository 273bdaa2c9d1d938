"""The keys that a user lets in himself: an admin sees that there are others than he asked for."""

from __future__ import annotations

from typing import Final

from lab import keys
from lab.errors import LxdError, LxdUnreachable, NotFound
from lab.lxd.model import Instance, State, Volume
from lab.lxd.port import Lxd
from provision.home_keys import given
from provision.limits import HOME, named_device
from provision.publickey import BadKey, fingerprint, parse_key

FILES: Final = (".ssh/authorized_keys", ".ssh/authorized_keys2")
_MOST: Final = 256 * 1024


def own_keys(lxd: Lxd, instance: Instance) -> int | None:
    """How many let in beside those ever asked for, which are let in or revoked; None if unknown.

    The home is seen from the running container alone; nothing is run in it.
    """
    if instance.state is not State.RUNNING:
        return None
    known = given(_home(lxd, instance), instance)
    found: set[str] = set()
    for file in FILES:
        try:
            content = lxd.read_file(instance.name, f"/home/{instance.config[keys.OWNER]}/{file}")
        except NotFound:
            continue
        except LxdUnreachable:
            raise
        except LxdError:
            return None  # whatever the user made of it
        if len(content) > _MOST:
            return None
        found |= let_in(content.decode(errors="replace"))
    return len(found - known)


def _home(lxd: Lxd, instance: Instance) -> Volume | None:
    found = named_device(instance.devices, HOME)
    if found is None or "pool" not in found[1]:
        return None
    volumes = lxd.volumes(found[1]["pool"])
    return next((one for one in volumes if one.name == found[1].get("source")), None)


def let_in(text: str) -> set[str]:
    """Fingerprints of the keys in TEXT, an authorized_keys file; options before a key are passed
    over, and a line of no key that sshd could mean counts for itself. Pure."""
    found = set()
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            found.add(_key_of(line))
    return found


def _key_of(line: str) -> str:
    words = line.split()
    return next(filter(None, map(_fingerprint, words, words[1:])), line)


def _fingerprint(kind: str, blob: str) -> str | None:
    try:
        return fingerprint(parse_key(f"{kind} {blob}").line)
    except BadKey:
        return None
