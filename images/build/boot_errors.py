"""Why a builder's first boot failed, with the file to correct. Pure."""

from __future__ import annotations

import re
from pathlib import Path

from images.templates.catalog import Definition
from images.templates.distro import Distro
from lab.certificate_authorities import untrusted
from lab.cloudinit.sections import FAILED
from lab.errors import CheckError, InputError, LabError, NoNetwork
from lab.instances.boot import excerpt

_NO_PACKAGE = re.compile(
    r"^E: (?:Unable to locate package (\S+)|Package '([^']+)' has no installation candidate"
    r"|Couldn't find any package by (?:glob|regex) '([^']+)'"
    r"|(?:Version|Release) '[^']+' for '([^']+)' was not found)",
    re.MULTILINE,
)
_NO_MIRROR = re.compile(
    r"^(?:W:|E:|Err:).*(?:Failed to fetch|Could not connect|Could not resolve"
    r"|Temporary failure resolving|Connection (?:refused|timed out)).*$",
    re.MULTILINE,
)
_COMMAND = re.compile(rf"^{FAILED} with (\d+): (.*)$", re.MULTILINE)
_NO_ROOM = re.compile(r"^.*(?:No space left on device|Disk quota exceeded).*$", re.MULTILINE)


def explain_boot(
    definition: Definition, distro: Distro, errors: tuple[str, ...], output: str, log: Path
) -> LabError:
    """The error to raise for a boot that ended with ERRORS after printing OUTPUT."""
    # In this order: a full disk breaks the fetching, and what was not fetched seems missing.
    if _NO_ROOM.search(output):
        return CheckError(
            f"{definition.name}: the builder ran out of disk space.",
            details=_first(_NO_ROOM, output),
            fix="Free space in the storage pool (invoke prune-images) or enlarge it.",
        )
    if said := untrusted(output):
        return InputError(
            f"{definition.name}: the builder does not trust the certificate of the apt mirror.",
            details=said[0],
            fix=said[1],
        )
    if _NO_MIRROR.search(output):
        return NoNetwork(
            f"{definition.name}: the builder cannot reach the apt mirror.",
            details=_first(_NO_MIRROR, output),
            fix="Check that containers can reach the mirror, or set `mirror:` and `proxy:` in "
            "lab.yaml.",
        )
    missing = _missing_packages(output)
    if missing:
        named = ", ".join(missing)
        return InputError(
            f"{definition.name}: apt in {distro.name} has no package {named}.",
            details="\n".join(_where(definition, package) for package in missing),
            fix="Correct the name in that file, or map it under `names:` in "
            f"images/distros/{distro.name}.yaml.",
        )
    command = _COMMAND.search(output)
    if command:
        code, which = command.groups()
        return CheckError(
            f"{definition.name}: a command of cloud-init/{definition.cloud_init} failed with exit "
            f"code {code}.",
            details="\n".join([which, *excerpt(output[: command.start()], lines=6).splitlines()]),
            fix="Correct that command, or write `|| true` after a command that may fail. "
            f"Read the full log: {log}",
        )
    return CheckError(
        f"{definition.name}: cloud-init failed in the builder.",
        details="\n".join([*errors, *excerpt(output).splitlines()]),
        fix=f"Read the full log: {log}",
    )


def _missing_packages(output: str) -> tuple[str, ...]:
    found = (next(filter(None, match.groups())) for match in _NO_PACKAGE.finditer(output))
    return tuple(dict.fromkeys(found))


def _where(definition: Definition, package: str) -> str:
    """`images/definitions/gpu.yaml:7: nvtopp`, as near as the file tells."""
    path = definition.path
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if re.search(rf"(?<![\w.+-]){re.escape(package)}(?![\w.+-])", line):
            return f"{_shown(path)}:{number}: {package}"
    return f"{_shown(path)}: {package} (in its cloud-init source)"


def _shown(path: Path) -> str:
    parts = path.parts[-3:]
    return "/".join(parts) if "images" in parts else str(path)


def _first(pattern: re.Pattern[str], output: str) -> str:
    match = pattern.search(output)
    return match.group(0).strip() if match else ""
