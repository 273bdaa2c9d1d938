"""One userland on its way into a running instance: read, decide (`packages`), simulate, do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.driver.apt_output import (
    Package,
    Simulation,
    could_not_fetch,
    read_files,
    read_installed,
    read_offers,
    read_simulation,
)
from lab.driver.packages import (
    NotAvailable,
    Plan,
    choose_files,
    choose_for_installer,
    choose_packages,
    foreign_removals,
    names_to_ask_for,
    to_hold,
)
from lab.driver.userland_sources import Apt, Debs, Origin, Run
from lab.errors import CheckError, InputError, LxdError
from lab.lxd.model import Completed
from lab.lxd.port import Lxd, OnOutput

SCRIPT: Final = Path(__file__).with_name("userland.sh")
# On disk: in /run, the hundreds of megabytes would count as the container's memory.
_INBOX: Final = "/var/cache/labstamp-userland"
_PINS: Final = f"{_INBOX}/pins"
# Each is read as a whole, and four templates are built at once.
_one_upload = threading.Lock()
_SECONDS: Final = 1800
_SHOWN_LINES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    lxd: Lxd
    instance: str
    version: str
    origin: Origin
    throwaway: bool = False
    on_output: OnOutput | None = None

    def perform(self) -> None:
        """InputError when the version is not available, CheckError when it cannot be installed."""
        try:
            self._upload()
            match self.origin:
                case Apt():
                    self._by_apt(self.origin)
                case Debs():
                    self._by_debs(self.origin)
                case Run():
                    self._by_run(self.origin)
        finally:
            with suppress(LxdError):
                self.lxd.run(self.instance, ["rm", "-rf", _INBOX], timeout=60)

    def _by_apt(self, origin: Apt) -> None:
        installed = self._installed()
        names = names_to_ask_for(installed, self.version, origin.packages)
        asked = self._read("offers", *names)
        plan = choose_packages(installed, read_offers(asked.stdout), self.version, origin.packages)
        if isinstance(plan, NotAvailable):
            # With no archive within reach, nobody knows what they have.
            if not plan.offers and could_not_fetch(asked.stderr):
                raise self._failed(asked.stderr)
            raise self._not_available(plan)
        self._install(plan, installed, self._simulated(plan, installed))

    def _by_debs(self, origin: Debs) -> None:
        installed = self._installed()
        files = read_files(self._read("files", _INBOX).stdout)
        paths = [_inside(file) for file in origin.files()]
        plan = choose_files(installed, files, paths, self.version)
        if isinstance(plan, NotAvailable):
            raise self._not_available(plan)
        simulation = self._simulated(plan, installed)
        if isinstance(simulation, str):
            # What they depend on is there, mostly; apt's lists are not, in an image.
            self._read("update")
            simulation = self._simulated(plan, installed)
        self._install(plan, installed, simulation)

    def _by_run(self, origin: Run) -> None:
        (file,) = [_inside(file) for file in origin.files()]
        self._do("sh", file, "--check")
        installed = self._installed()
        plan = choose_for_installer(installed, self.version)
        if plan.install:
            self._read("update")
        simulation = self._simulated(plan, installed)
        if isinstance(simulation, str):
            raise self._failed(simulation)
        self._do(*_script("run", _PINS, file, *(plan.words if simulation.changes else ())))

    def _installed(self) -> tuple[Package, ...]:
        return read_installed(self._read("installed").stdout)

    def _simulated(self, plan: Plan, installed: Sequence[Package]) -> Simulation | str:
        """What apt would do for PLAN; a text says why it cannot, or must not, be done."""
        self.lxd.write_file(self.instance, _PINS, plan.pins.encode())
        if not plan.words:
            return read_simulation("")
        ended = self._run(*_script("simulate", _PINS, *plan.words))
        if ended.exit_code != 0:
            return _said(ended.stdout + ended.stderr, ended)
        simulation = read_simulation(ended.stdout)
        foreign = foreign_removals(installed, simulation)
        if foreign:
            names = ", ".join(foreign)
            return f"apt would have to remove {names}, which is not part of the driver."
        return simulation

    def _install(
        self, plan: Plan, installed: Sequence[Package], simulation: Simulation | str
    ) -> None:
        if isinstance(simulation, str):
            raise self._failed(simulation)
        hold = " ".join(to_hold(installed, simulation))
        words = plan.words if simulation.changes else ()
        self._do(*_script("install", _PINS, hold, *words))

    def _upload(self) -> None:
        self.lxd.write_file(self.instance, f"{_INBOX}/{SCRIPT.name}", SCRIPT.read_bytes())
        for file in self.origin.files():
            with _one_upload:
                self.lxd.write_file(self.instance, _inside(file), file.read_bytes())

    def _do(self, *argv: str) -> None:
        """What it says is shown while it says it."""
        ended = self._run(*argv, on_output=self.on_output)
        if ended.exit_code != 0:
            raise self._could_not(_said(ended.stderr.strip() or ended.stdout, ended))

    def _read(self, verb: str, *words: str) -> Completed:
        ended = self._run(*_script(verb, *words))
        if ended.exit_code != 0:
            raise self._failed(_said(ended.stderr.strip() or ended.stdout, ended))
        return ended

    def _run(self, *argv: str, on_output: OnOutput | None = None) -> Completed:
        return self.lxd.run(
            self.instance,
            # One at a time, should LXD make us start it twice (see `Lxd.run`).
            ["flock", "--close", _INBOX, *argv],
            env={"LABSTAMP_THROWAWAY": "yes"} if self.throwaway else {},
            timeout=_SECONDS,
            on_output=on_output,
        )

    def _not_available(self, plan: NotAvailable) -> InputError:
        offers = ("It has:", *dict.fromkeys(str(package) for package in plan.offers))
        return InputError(
            f"Driver {self.version} is not available from {self.origin.name}.",
            details="\n".join(offers) if plan.offers else "It has no package of the NVIDIA driver.",
            fix=self.origin.instead(self.version),
        )

    def _failed(self, said: str) -> CheckError:
        """What was SAID has not been shown yet."""
        if self.on_output is not None:
            self.on_output(said.rstrip() + "\n")
        return self._could_not(said)

    def _could_not(self, said: str) -> CheckError:
        return CheckError(
            f"Driver {self.version} could not be installed in {self.instance}, "
            f"from {self.origin.name}.",
            details="\n".join(said.strip().splitlines()[-_SHOWN_LINES:]),
            fix="Correct what these lines report, then run the same command again.",
        )


def _script(verb: str, *words: str) -> tuple[str, ...]:
    return ("sh", f"{_INBOX}/{SCRIPT.name}", verb, *words)


def _inside(file: Path) -> str:
    return f"{_INBOX}/{file.name}"


def _said(text: str, ended: Completed) -> str:
    return text.strip() or f"exit code {ended.exit_code}, without output"
