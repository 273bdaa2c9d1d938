"""What a person types or saves, from the way to their container. Pure."""

from __future__ import annotations

import re
import shlex
from typing import Final

from lab.printable import in_line
from lab.settings.people import SSH, Front
from provision.card.facts import Facts, Way

YOU: Final = "you"
"""Stands for an account that everybody has of their own."""
TUNNEL: Final = {"rdp": 3390, "sftp": 2222}
"""Ports of the person's own computer: above 1024, and not those of a server that may run there."""
_LONGEST: Final = 250
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:@\[\]-]+", re.ASCII)


def ssh(facts: Facts) -> str:
    return _line("ssh", *_options(facts.ssh, port="-p"), f"{facts.account}@{facts.ssh.host}")


def sftp(facts: Facts) -> str:
    place = f"{facts.account}@{in_url(facts.ssh.host)}"
    return _line("sftp", *_options(facts.ssh, port="-P"), place)


def scp(facts: Facts, *, file: str) -> str:
    place = f"{facts.account}@{in_url(facts.ssh.host)}:"
    return _line("scp", *_options(facts.ssh, port="-P"), file, place)


def tunnel(way: Way, front: Front, at: int) -> str:
    """Lets the person's computer have WAY at its own port AT."""
    port = ("-p", str(front.port)) if front.port != SSH else ()
    target = f"{at}:{in_url(way.host)}:{way.port}"
    return _line("ssh", "-N", "-L", target, *port, f"{front.account or YOU}@{front.host}")


def config(facts: Facts) -> tuple[str, ...]:
    """The lines for `~/.ssh/config`."""
    way = facts.ssh
    lines = [
        f"Host {_in_config(facts.name)}",
        f"    HostName {_in_config(way.host)}",
        *([f"    Port {way.port}"] if way.port != SSH else []),
        f"    User {_in_config(facts.account)}",
        *([f"    ProxyJump {jump(way.through)}"] if way.through else []),
    ]
    return tuple(lines)


def jump(front: Front) -> str:
    """As `-J` and `ProxyJump` have it."""
    port = f":{front.port}" if front.port != SSH else ""
    host = in_url(front.host) if port else front.host
    return f"{front.account or YOU}@{host}{port}"


def xfreerdp(facts: Facts, target: str) -> str:
    return _line("xfreerdp", f"/v:{target}", f"/u:{facts.account}", "/size:1600x900", "/clipboard")


def rdp_file(facts: Facts, target: str) -> tuple[str, ...]:
    """What Windows and Windows App open by a double click."""
    return (
        f"full address:s:{target}",
        f"username:s:{in_line(facts.account)}",
        "prompt for credentials:i:0",
        # xrdp asks for the password itself. Its certificate is its own: clients warn of it.
        "enablecredsspsupport:i:0",
        "authentication level:i:2",
        "screen mode id:i:1",
        "desktopwidth:i:1600",
        "desktopheight:i:900",
        "dynamic resolution:i:1",
        "redirectclipboard:i:1",
        "redirectprinters:i:0",
        "audiomode:i:0",
    )


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _options(way: Way, *, port: str) -> tuple[str, ...]:
    through = ("-J", jump(way.through)) if way.through else ()
    return (*through, *((port, str(way.port)) if way.port != SSH else ()))


def _line(*words: str) -> str:
    return in_line(shlex.join(words), most=_LONGEST)


def _in_config(text: str) -> str:
    """Quoted where it is no plain word, so that it stays one value."""
    shown = in_line(text, most=_LONGEST)
    return shown if _PLAIN.fullmatch(shown) else '"' + shown.replace('"', "") + '"'
