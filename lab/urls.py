"""URLs as people write them: which are taken, and which lead nowhere from inside a container."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final
from urllib.parse import unquote, urlsplit

_USER: Final = r"(?:[A-Za-z0-9._~+-]|%[0-9A-Fa-f]{2})"
URL: Final = re.compile(
    rf"https?://(?:{_USER}+(?::{_USER}*)?@)?(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?"
    r"(?:/[A-Za-z0-9._~/%+@:-]*)?",
    re.ASCII,
)
_PASSWORD: Final = re.compile(r"(://[^/?#\s:@]*):\S*@")
_LOCAL_NAMES: Final = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


def without_password(text: str) -> str:
    """TEXT with `:***` for the passwords of the URLs in it, to be shown or logged."""
    return _PASSWORD.sub(r"\1:***@", text)


def without_login(url: str) -> str:
    """URL without the user and the password that it may have."""
    return re.sub(r"://[^/]*@", "://", url, count=1)


def login_of(url: str) -> tuple[str, str] | None:
    """User and password of URL, as they are and not as a URL writes them; None without."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def needs_escapes(value: str) -> bool:
    """Whether VALUE would be a URL if its user and password were written with %40 and the like."""
    match = re.fullmatch(r"(https?://)\S+@([^\s@]+)", value)
    return match is not None and URL.fullmatch(match[1] + match[2]) is not None


def is_loopback(url: str) -> bool:
    """Whether URL's host is the machine that asks, in any spelling: 127.1, [::1], 0.0.0.0."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host in _LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # As the C library reads them: 127.1, 0x7f.1, 2130706433.
            address = ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified
