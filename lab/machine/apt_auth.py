"""Users and passwords for apt, in a file of its own: apt_auth.conf(5).

In a URL they would be in apt's sources and configuration, which everybody in a container reads,
and in the arguments of commands, which every account of the server sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lab.urls import login_of, without_login

FILE: Final = "/etc/apt/auth.conf.d/90labstamp-builder.conf"
"""Of mode 0600; in builders, and in no image."""


def auth_conf(urls: Iterable[str | None]) -> str:
    """The text of FILE for those of URLS that have a user; empty where none has. Pure."""
    lines = []
    for url in filter(None, urls):
        if login := login_of(url):
            user, password = login
            secret = f" password {password}" if password else ""
            # With the scheme: without one apt means https alone.
            lines.append(f"machine {without_login(url)} login {user}{secret}\n")
    return "".join(dict.fromkeys(lines))
