"""What dpkg's and apt's own files say: what is installed, by whose wish, which files belong to it.

Pure. A user may have written these files: what is not as dpkg writes it is left out.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from typing import Final, TypeAlias

from debian.deb822 import Deb822

STATUS: Final = "/var/lib/dpkg/status"
STATES: Final = "/var/lib/apt/extended_states"
_FIELDS: Final = ["Package", "Status", "Architecture", "Version"]
# A desktop's list has 60 kB; imported files may hold anything.
_LONGEST: Final = 8 * 1024**2

# Names and versions of dpkg's, see deb-version(7): nothing that a terminal would act on.
_LINE: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9+.:_-]{0,200})\t([A-Za-z0-9.+:~_-]{0,250})", re.ASCII
)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]{1,200}(:[a-z0-9-]{1,30})?", re.ASCII)

Versions: TypeAlias = Mapping[str, str]
"""Package → version. Of a package in several architectures: `libc6:i386`."""


def installed(status: str) -> Versions:
    """The packages that dpkg's STATUS file calls installed, by name."""
    found: dict[str, dict[str, str]] = {}
    # As lines, since a text without any may be taken for the name of a file.
    for stanza in Deb822.iter_paragraphs(status.splitlines(), fields=_FIELDS):
        if stanza.get("Status", "").endswith(" installed") and "Package" in stanza:
            by_architecture = found.setdefault(stanza["Package"], {})
            by_architecture[stanza.get("Architecture", "")] = stanza.get("Version", "")
    return {
        package if len(versions) == 1 else f"{package}:{architecture}": version
        for package, versions in sorted(found.items())
        for architecture, version in sorted(versions.items())
    }


def manual(status: str, states: str) -> Versions:
    """Those that somebody asked for, as `apt-mark showmanual` lists them; STATES is apt's file."""
    automatic = {
        stanza["Package"]
        for stanza in Deb822.iter_paragraphs(states.splitlines())
        if stanza.get("Auto-Installed") == "1" and "Package" in stanza
    }
    return {
        name: version
        for name, version in installed(status).items()
        if name.partition(":")[0] not in automatic and _NAME.fullmatch(name)
    }


def conffiles(status: str) -> Mapping[str, str]:
    """The configuration files of packages, and the MD5 sum that each came with."""
    found: dict[str, str] = {}
    for stanza in Deb822.iter_paragraphs(status.splitlines(), fields=["Conffiles"]):
        for line in stanza.get("Conffiles", "").splitlines():
            words = line.split()
            if len(words) > 1:
                found[words[0]] = words[1]
    return found


def packed(versions: Versions) -> str:
    """As the value of a property: a desktop's 1200 packages take 15 kB."""
    text = "".join(f"{package}\t{version}\n" for package, version in sorted(versions.items()))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(value: str) -> Versions:
    """What `packed` made VALUE of; ValueError when it did not."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(base64.b64decode(value, validate=True), _LONGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacking.eof:
        raise ValueError("It is incomplete or too long.")
    found: dict[str, str] = {}
    for line in text.decode().splitlines():
        named = _LINE.fullmatch(line)
        if named is None:
            raise ValueError("It contains something other than packages and their versions.")
        found[named[1]] = named[2]
    return found
