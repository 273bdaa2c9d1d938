"""Taking out of a copy, before its first boot, what belongs to one person or one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.errors import LxdError
from lab.instances.at_rest import at_rest
from lab.lxd.port import Lxd

SCRIPT: Final = Path(__file__).with_name("clean.sh")
_PLACE: Final = "/run/labstamp/clean.sh"
_SECONDS: Final = 600.0
_LINES: Final = 12

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
    with at_rest(lxd, name):
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
