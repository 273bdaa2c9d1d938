"""systemd units as text: what systemd.service(5) and systemd.syntax(7) ask of paths and words."""

from __future__ import annotations

from typing import Final

from host.units.files import MARK, HostFile, HostLink, Piece

_UNITS: Final = "/etc/systemd/system"
_TARGET: Final = "multi-user.target"
LXD_SERVICES: Final = (
    "snap.lxd.daemon.service",
    "lxd.service",
    "lxd-containers.service",
    "incus.service",
    "incus-startup.service",
)
"""Units that start a daemon or its containers, as snap and packages name them.

Not their sockets: these are up before any ordinary unit, so an order against them would be a
circle. None is needed either, since a daemon that a socket starts is one of these services.
"""


def unit(name: str, *, description: str, before: str, service: str) -> tuple[Piece, ...]:
    """The unit NAME, enabled: it is wanted by the target that every machine boots to.

    BEFORE and SERVICE: more lines of the sections [Unit] and [Service].
    """
    text = (
        f"# {MARK}; `invoke host.check` looks after it.\n"
        f"[Unit]\nDescription={description}\n{before}\n"
        f"[Service]\n{service}\n"
        f"[Install]\nWantedBy={_TARGET}\n"
    )
    path = f"{_UNITS}/{name}"
    return (
        HostFile(path=path, text=text),
        HostLink(path=f"{_UNITS}/{_TARGET}.wants/{name}", target=path),
    )


def word(text: str) -> str:
    """TEXT as one word: an assignment of Environment=, or the program of ExecStart=.

    In the program's arguments $ would name a variable; in its own path it does not.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def argument(text: str) -> str:
    """TEXT as one argument of a program."""
    return word(text).replace("$", "$$")


def whole_line(path: str) -> str:
    """PATH as the value of WorkingDirectory=, which knows no quotes."""
    return path.replace("%", "%%")
