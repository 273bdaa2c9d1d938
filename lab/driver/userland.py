"""NVIDIA's userland in a container: put there at exactly one version, and told by its files."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.driver.userland_sources import Apt, Debs, Origin, Run, origin_of
from lab.errors import CheckError, InputError, LxdError, NotFound
from lab.lxd.model import Completed
from lab.lxd.port import Lxd, OnOutput
from lab.settings.settings import Settings

__all__ = ["Apt", "Debs", "Run", "Userland", "install", "userland_of", "version_in"]

_SCRIPT: Final = Path(__file__).with_name("userland.sh")
# On disk: in /run, the hundreds of megabytes would count as the container's memory.
_INBOX: Final = "/var/cache/labstamp-userland"
# Each is read as a whole, and four templates are built at once.
_one_upload = threading.Lock()
_SECONDS: Final = 1800
_NOT_TO_BE_HAD: Final = 3

# NVIDIA's installer and Ubuntu put them into the first kind, Debian into the second.
_DIRECTORIES: Final = tuple(
    f"/usr/lib/{triplet}{below}"
    for triplet in ("x86_64-linux-gnu", "aarch64-linux-gnu")
    for below in ("", "/nvidia/current")
)
_LIBRARY: Final = re.compile(r"lib(?:cuda|nvidia-ml)\.so\.(\d{3,}\.\d+(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Userland:
    """One version, and where it comes from."""

    version: str
    origin: Origin

    def inputs(self) -> dict[str, str]:
        """What a recipe says of it."""
        script = hashlib.sha256(_SCRIPT.read_bytes()).hexdigest()[:12]
        return {
            "driver": self.version,
            **self.origin.inputs(),
            # Its name in recipes, whatever its place: another would make every release stale.
            "lab/scripts/userland.sh": f"sha:{script}",
        }

    def prepare(self) -> None:
        """Fetch and check what can be before anything is made. InputError says what is wrong."""
        for _ in self.origin.files():
            pass


def userland_of(settings: Settings, version: str) -> Userland:
    """How the settings say that VERSION is to be had. InputError where they name no such thing."""
    return Userland(version=version, origin=origin_of(settings.driver, version))


def install(
    lxd: Lxd,
    instance: str,
    userland: Userland,
    *,
    throwaway: bool = False,
    on_output: OnOutput | None = None,
) -> None:
    """Bring a running INSTANCE to USERLAND, from none or any other, and hold it there.

    Again changes nothing. InputError when the version is not to be had, CheckError when it could
    not be installed; packages that are not the driver's are never removed.
    THROWAWAY: a crash may cost the instance, so it need not wait for the disk.
    """
    try:
        _bring(lxd, instance, userland)
        ended = lxd.run(
            instance,
            # One at a time, should LXD make us start it twice (see `Lxd.run`).
            [
                *("flock", "--close", _INBOX, "sh", f"{_INBOX}/{_SCRIPT.name}", userland.version),
                *userland.origin.arguments(_INBOX),
            ],
            env={"LABSTAMP_THROWAWAY": "yes"} if throwaway else {},
            timeout=_SECONDS,
            on_output=on_output,
        )
    finally:
        with suppress(LxdError):
            lxd.run(instance, ["rm", "-rf", _INBOX], timeout=60)
    if ended.exit_code == _NOT_TO_BE_HAD:
        raise _not_to_be_had(userland, ended)
    if ended.exit_code != 0:
        raise _failed(instance, userland, ended)
    found = version_in(lxd, instance)
    if found != userland.version:
        raise CheckError(
            f"{instance} has driver {found or 'none'} after {userland.version} was installed.",
            details=f"It came from {userland.origin.name}.",
        )


def version_in(lxd: Lxd, instance: str) -> str | None:
    """The userland's version by the libraries inside, also of a stopped INSTANCE; None without.

    Two versions side by side, which fit no module, are `535.261.03+550.163.01`.
    """
    names = [name for directory in _DIRECTORIES for name in _names(lxd, instance, directory)]
    found = {match[1] for name in names if (match := _LIBRARY.fullmatch(name))}
    return "+".join(sorted(found)) or None


def _names(lxd: Lxd, instance: str, directory: str) -> tuple[str, ...]:
    try:
        return lxd.list_directory(instance, directory)
    except NotFound:
        if lxd.instance(instance) is None:
            raise
        return ()


def _bring(lxd: Lxd, instance: str, userland: Userland) -> None:
    lxd.write_file(instance, f"{_INBOX}/{_SCRIPT.name}", _SCRIPT.read_bytes())
    for file in userland.origin.files():
        with _one_upload:
            lxd.write_file(instance, f"{_INBOX}/{file.name}", file.read_bytes())


def _not_to_be_had(userland: Userland, ended: Completed) -> InputError:
    return InputError(
        f"Driver {userland.version} is not to be had from {userland.origin.name}.",
        details="\n".join(_offers(ended.stdout)) or "It has no NVIDIA userland at all.",
        fix=userland.origin.instead(userland.version),
    )


def _offers(text: str) -> Iterator[str]:
    """`It has: nvidia-smi 550.163.01-2, …`, of the script's `offered` lines."""
    found = [line.removeprefix("offered ") for line in text.splitlines() if "offered " in line]
    if found:
        yield "It has:"
        yield from dict.fromkeys(found)


def _failed(instance: str, userland: Userland, ended: Completed) -> CheckError:
    said = (ended.stderr.strip() or ended.stdout.strip()).splitlines()[-12:]
    return CheckError(
        f"Driver {userland.version} could not be installed in {instance}, "
        f"from {userland.origin.name}.",
        details="\n".join(said) or f"exit code {ended.exit_code}, without a word",
    )
