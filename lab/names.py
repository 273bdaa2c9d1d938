"""Which names containers and accounts may have, and which known word was probably meant."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from lab.errors import InputError
from lab.printable import in_line

_INSTANCE: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_ACCOUNT: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_LONGEST_WORD: Final = 200
"""That is compared with others: the time for it grows with the square of its length."""

# What Debian and Ubuntu come with, or get with a desktop, docker or ssh; what a release has beside
# these is told by its image. `default` is cloud-init's own word for the account of a distribution.
_WORDS: Final = """
adm admin audio avahi backup bin bluetooth cdrom colord crontab daemon debian default dhcpcd
dialout dip disk dnsmasq docker fax floppy fwupd-refresh games gdm geoclue gnats input irc kmem
kvm landscape lightdm list lp lpadmin lxd mail man messagebus netdev news nobody nogroup ntp
operator plugdev polkitd pollinate proxy pulse pulse-access render root rtkit saned sasl scanner
sgx shadow src ssh sshd ssl-cert staff sudo sync sys syslog tape tcpdump tss tty ubuntu usbmux
users utmp uucp uuidd video voice www-data xrdp
"""
_SYSTEM_ACCOUNTS: Final = frozenset(_WORDS.split())


def check_instance_name(name: str) -> None:
    """Raise InputError unless LXD accepts NAME for an instance (it becomes the host name)."""
    if not _INSTANCE.fullmatch(name):
        near = nearest_name(name)
        if near and "_" in name and _ACCOUNT.fullmatch(name):
            near += f" --account {name}"
        raise InputError(
            f"{quote(name)} cannot be the name of a container.",
            details=_instance_reason(name),
            fix="Use 1 to 63 letters, digits and dashes; begin with a letter, "
            f"do not end with a dash.{_offer(name, near)}",
        )


def check_account(name: str) -> None:
    """Raise InputError unless NAME can be a person's account inside a container."""
    if _is_systems(name):
        raise InputError(
            f"{quote(name)} cannot be an account.",
            details="That name belongs to the system.",
            fix="Choose another name.",
        )
    if not _ACCOUNT.fullmatch(name):
        raise InputError(
            f"{quote(name)} cannot be an account.",
            details=_account_reason(name),
            fix="Use 1 to 32 lower-case letters, digits, dashes and underscores; begin with a "
            f"letter.{_offer(name, nearest_name(name, keep='_'))}",
        )


def nearest_name(name: str, *, keep: str = "") -> str | None:
    """What NAME comes to as a name of both kinds; None where letters of it have no Latin form.

    KEEP: a character that may stay beside letters, digits and dashes.
    """
    # Accents go: `Zoë` is zoe. 张 has none to lose.
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    if any(c.isalnum() and not c.isascii() for c in plain):
        return None
    words = re.sub(rf"[^a-z0-9{keep}]+", "-", plain.lower()).strip(f"-{keep}")
    if words[:1].isdigit():
        words = f"s{words}"  # as students' numbers are written
    words = words[:32].rstrip(f"-{keep}")
    return words if words and not _is_systems(words) else None


def _is_systems(name: str) -> bool:
    return name in _SYSTEM_ACCOUNTS or name.startswith("systemd-")


def _offer(name: str, near: str | None) -> str:
    if near:
        return f"\nNearest valid name: {near}"
    if any(c.isalpha() and not c.isascii() for c in name):
        return "\nWrite it in Latin letters, as in pinyin: zhang-san"
    return ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The KNOWN word that WORD is probably a slip of, or None."""
    if len(word) > _LONGEST_WORD:
        return None
    words = sorted(one for one in known if len(one) <= _LONGEST_WORD)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "…"?)`, or nothing."""
    meant = nearest(word, known)
    return f' (did you mean "{meant}"?)' if meant else ""


def quote(text: str) -> str:
    """TEXT for a message: on one line, without control characters, not endless."""
    return f'"{in_line(text)}"'


def _instance_reason(name: str) -> str:
    if not name:
        return "It is empty."
    if len(name) > 63:
        return f"It has {len(name)} characters."
    if strange := _strange(name, r"[A-Za-z0-9-]"):
        return f"It contains {strange}."
    return "It ends with a dash." if name[0].isalpha() else f"It begins with {quote(name[0])}."


def _account_reason(name: str) -> str:
    if not name:
        return "It is empty."
    if len(name) > 32:
        return f"It has {len(name)} characters."
    if strange := _strange(name, r"[a-z0-9_-]"):
        return f"It contains {strange}."
    return f"It begins with {quote(name[0])}."


def _strange(name: str, allowed: str) -> str:
    found = dict.fromkeys(c for c in name if not re.fullmatch(allowed, c, re.ASCII))
    return ", ".join(quote(c) for c in found)
