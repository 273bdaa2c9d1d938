"""systemd units as text: what systemd.service(5) and systemd.syntax(7) ask of paths and words."""

from __future__ import annotations

from typing import Final

from host.units.files import MARK, HostFile, HostLink, Piece

UNITS: Final = "/etc/systemd/system"
_TARGET: Final = "multi-user.target"
_TIMERS: Final = "timers.target"
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
    path = f"{UNITS}/{name}"
    return (
        HostFile(path=path, text=text),
        HostLink(path=f"{UNITS}/{_TARGET}.wants/{name}", target=path),
    )


def timed(
    name: str, *, description: str, before: str, service: str, when: str
) -> tuple[Piece, ...]:
    """NAME.timer, enabled, and NAME.service, which it starts WHEN (systemd.time(7)).

    What a machine that was off has missed is made up for once.
    """
    head = f"# {MARK}; made for this installation.\n[Unit]\nDescription={description}\n"
    timer = f"{head}\n[Timer]\nOnCalendar={when}\nPersistent=true\n"
    timer += f"RandomizedDelaySec=120\n\n[Install]\nWantedBy={_TIMERS}\n"
    path = f"{UNITS}/{name}.timer"
    return (
        HostFile(path=path, text=timer),
        HostFile(path=f"{UNITS}/{name}.service", text=f"{head}{before}\n[Service]\n{service}"),
        HostLink(path=f"{UNITS}/{_TIMERS}.wants/{name}.timer", target=path),
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
