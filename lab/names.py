"""Which names containers and accounts may have, and which known word was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from lab.errors import InputError

_INSTANCE: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_ACCOUNT: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)

_WORDS: Final = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody
messagebus syslog sshd ntp polkitd avahi rtkit saned colord pulse gdm lightdm xrdp geoclue
usbmux tss uuidd tcpdump landscape pollinate lxd dnsmasq docker sudo adm admin staff users
operator src shadow utmp video audio plugdev netdev input kvm render crontab ssh systemd-network
systemd-resolve systemd-timesync systemd-journal systemd-coredump fwupd-refresh ubuntu debian
"""
_SYSTEM_ACCOUNTS: Final = frozenset(_WORDS.split())


def check_instance_name(name: str) -> None:
    """Raise InputError unless LXD accepts NAME for an instance (it becomes the host name)."""
    if not _INSTANCE.fullmatch(name):
        raise InputError(
            f"{quote(name)} cannot be the name of a container.",
            details=_instance_reason(name),
            fix="Use 1 to 63 letters, digits and dashes; begin with a letter, "
            "do not end with a dash.",
        )


def check_account(name: str) -> None:
    """Raise InputError unless NAME can be a person's account inside a container."""
    if name in _SYSTEM_ACCOUNTS:
        raise InputError(
            f"{quote(name)} cannot be an account.",
            details="That name belongs to the system.",
            fix="Choose another name.",
        )
    if not _ACCOUNT.fullmatch(name):
        raise InputError(
            f"{quote(name)} cannot be an account.",
            details=_account_reason(name),
            fix="Use 1 to 32 lower-case letters, digits and dashes; begin with a letter.",
        )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The KNOWN word that WORD is probably a slip of, or None."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "…"?)`, or nothing."""
    meant = nearest(word, known)
    return f' (did you mean "{meant}"?)' if meant else ""


def quote(text: str) -> str:
    """TEXT for a message: on one line, without control characters, not endless."""
    readable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f'"{readable}"' if len(readable) <= 80 else f'"{readable[:77]}…"'


def _instance_reason(name: str) -> str:
    if not name:
        return "It is empty."
    if len(name) > 63:
        return f"It has {len(name)} characters."
    if strange := _strange(name, r"[A-Za-z0-9-]"):
        return f"It has {strange} in it."
    return "It ends with a dash." if name[0].isalpha() else f"It begins with {quote(name[0])}."


def _account_reason(name: str) -> str:
    if not name:
        return "It is empty."
    if len(name) > 32:
        return f"It has {len(name)} characters."
    if strange := _strange(name, r"[a-z0-9-]"):
        return f"It has {strange} in it."
    return f"It begins with {quote(name[0])}."


def _strange(name: str, allowed: str) -> str:
    found = dict.fromkeys(c for c in name if not re.fullmatch(allowed, c, re.ASCII))
    return ", ".join(quote(c) for c in found)
