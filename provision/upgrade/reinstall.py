"""The packages that a user had added, installed again from the new root's archives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lab.errors import LxdError
from lab.lxd.model import Completed
from lab.lxd.port import Lxd
from lab.report import Report

_APT: Final = ("apt-get", "--yes", "--quiet", "-o", "Dpkg::Options::=--force-confold")
_ENV: Final = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
_UPDATE: Final = 300.0
_INSTALL: Final = 1800.0


def reinstall(lxd: Lxd, name: str, packages: Sequence[str], report: Report) -> None:
    """Install PACKAGES in the running container NAME: all at once, else one by one.

    LxdError, which names them, for those that could not be installed. Again goes on with them.
    """
    report.phase(name, f"install {len(packages)} package{'s' if len(packages) > 1 else ''}")
    updated = _run(lxd, name, report, "update", timeout=_UPDATE)
    if updated.exit_code != 0:
        raise _failed(name, packages, updated)
    ended = _run(lxd, name, report, "install", *packages, timeout=_INSTALL)
    if ended.exit_code == 0:
        report.done(name, f"has {', '.join(packages)}")
        return
    last, missing = ended, []
    for package in packages if len(packages) > 1 else ():
        one = _run(lxd, name, report, "install", package, timeout=_INSTALL)
        if one.exit_code != 0:
            missing.append(package)
            last = one
    if missing or len(packages) == 1:
        raise _failed(name, missing or packages, last)
    report.done(name, f"has {', '.join(packages)}")


def _run(lxd: Lxd, name: str, report: Report, *words: str, timeout: float) -> Completed:
    def heard(text: str) -> None:
        lines = text.strip().splitlines()
        if lines:
            report.detail(name, lines[-1])

    return lxd.run(name, [*_APT, *words], env=_ENV, timeout=timeout, on_output=heard)


def _failed(name: str, packages: Sequence[str], ended: Completed) -> LxdError:
    told = "\n".join(ended.stderr.strip().splitlines()[-4:])
    return LxdError(
        f"These packages could not be installed in {name}: {', '.join(packages)}.",
        details=told,
        fix=f"Correct the cause, then: invoke upgrade {name} --reinstall",
    )
