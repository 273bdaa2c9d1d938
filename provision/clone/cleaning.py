"""Taking out of a copy, before its first boot, what belongs to one person or one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.errors import LxdError
from lab.instances.at_rest import at_rest
from lab.lxd.devices import NO_DEVICE, Devices, devices_of, of_type
from lab.lxd.model import Instance
from lab.lxd.port import Lxd

SCRIPT: Final = Path(__file__).with_name("clean.sh")
_PLACE: Final = "/run/labstamp/clean.sh"
_SECONDS: Final = 600.0
_LINES: Final = 12
_CLEANED_PLACES: Final = ("/", "/home")

CLEANED: Final = (
    "accounts of people (uid 1000 to 59999) with their groups, and all passwords",
    "crontabs, at jobs, mail, logs, /tmp, /var/tmp",
    "ssh host keys, keys that can log in, keys of RDP, Tailscale, ZeroTier, WireGuard and Kerberos",
    "machine id, network connections, and what cloud-init remembers",
    "in /root: ssh and GPG keys, histories, caches, tokens and logins of known programs",
)
"""What is taken out, for people."""
UNKNOWN: Final = (
    "labstamp cannot know what else is private. Before you give it away, check /etc, /opt, /srv, "
    "/usr/local, /var/lib and docker's volumes."
)


def clean_copy(lxd: Lxd, name: str, account: str, owner: str | None) -> None:
    """NAME, stopped, is cleaned afterwards, and stopped. ACCOUNT is made in it later.

    OWNER: whose its home was, where that is a copy, too.
    """
    with _own_disks_only(lxd, name), at_rest(lxd, name):
        lxd.write_file(name, _PLACE, SCRIPT.read_bytes(), mode=0o700)
        # One at a time, should LXD start it twice (`Lxd.run`).
        command = ["flock", "--close", "/run/labstamp", _PLACE, account]
        ended = lxd.run(name, [*command, *([owner] if owner else [])], timeout=_SECONDS)
        if ended.exit_code != 0:
            last = (ended.stdout + ended.stderr).strip().splitlines()[-_LINES:]
            raise LxdError(
                f"The copy {name} could not be cleaned.",
                details="\n".join(last),
                fix="Correct the cause in the container that is copied, then run the same command "
                "again.",
            )


@contextmanager
def _own_disks_only(lxd: Lxd, name: str) -> Iterator[None]:
    """Meanwhile NAME, stopped, has its root and its home, and no disk that others use, too.

    What fails inside leaves it so.
    """
    instance = lxd.instance(name)
    own = instance.devices if instance else {}
    hidden = _of_others(instance) if instance else {}
    if hidden:
        lxd.update(name, devices=dict.fromkeys(hidden, NO_DEVICE))
    yield
    if hidden:
        # A profile's is there again where NAME says nothing of that name.
        lxd.update(name, devices={device: own.get(device) for device in hidden})


def _of_others(instance: Instance) -> Devices:
    """Shares, and an admin's disks of the profiles, wherever they are mounted."""
    disks = of_type("disk", devices_of(instance))
    return {
        name: device for name, device in disks.items() if device.get("path") not in _CLEANED_PLACES
    }
