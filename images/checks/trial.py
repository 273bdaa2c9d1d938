"""A published image on trial: what is judged, as whom, by what."""

from __future__ import annotations

from dataclasses import dataclass, field

from images.check_kinds.base import BaseCheck
from images.check_kinds.evidence import Case, GpuAccess
from images.check_kinds.kinds import Check
from images.check_kinds.provision import Provision
from images.checks.network import ACCOUNT
from lab.cloudinit.account import UID, Account
from lab.lxd.model import Image
from lab.release import Needs

_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is judged: IMAGE as containers of TEMPLATE would use it, by CHECKS."""

    template: str
    image: Image
    needs: Needs
    checks: tuple[Check, ...]
    """Those of the definition."""
    gpu_access: GpuAccess = field(default_factory=GpuAccess)
    """The GPUs of the first instance."""
    allowed: tuple[str, ...] = ()
    """Files that may be the same in every container, though they look secret."""
    allowed_special: tuple[str, ...] = ()
    """Device nodes and programs with powers that are meant."""

    @property
    def every_check(self) -> tuple[BaseCheck, ...]:
        """What has to hold of every image, or nobody can be given it; then those of its own."""
        argv = ("sh", "/run/labstamp/check-account.sh", ACCOUNT, str(UID))
        groups = self.account(()).all_groups
        return (Provision(argv=(*argv, *groups), timeout=_SECONDS), *self.checks)

    def account(self, keys: tuple[str, ...]) -> Account:
        """Who stands in for its users, let in by KEYS."""
        return Account(name=ACCOUNT, keys=keys, groups=self.needs.groups)

    @property
    def to_run(self) -> tuple[BaseCheck, ...]:
        """Those that are not skipped already, before anything was asked."""
        unasked = Case(gpus=self.gpu_access)
        return tuple(check for check in self.every_check if not check.skipped(unasked))

    @property
    def over_the_network(self) -> str:
        """The names of the checks that somebody outside has to make."""
        return ", ".join(one.name for one in self.checks if one.over_the_network)

    @property
    def asks_gpus(self) -> bool:
        """GPUs are given only where something is asked of them."""
        return any(check.asks_gpus for check in self.checks)

    @property
    def size(self) -> int:
        """How many instances it takes: two, where they are compared."""
        return max((check.instances for check in self.checks), default=1)
