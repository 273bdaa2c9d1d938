"""A published image on trial: what is judged, as whom, by what."""

from __future__ import annotations

from dataclasses import dataclass, field

from images.checks.gpu import GpuAccess
from images.checks.network import ACCOUNT
from images.checks.reach import OVER_THE_NETWORK
from images.templates.catalog import Check
from images.templates.definition import PROVISION
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
    def every_check(self) -> tuple[Check, ...]:
        """What has to hold of every image, or nobody can be given it; then those of its own."""
        argv = ("sh", "/run/labstamp/check-account.sh", ACCOUNT, str(UID))
        groups = self.account(()).all_groups
        made = Check(name=PROVISION, kind="command", run=(*argv, *groups), timeout=_SECONDS)
        return (made, *self.checks)

    def account(self, keys: tuple[str, ...]) -> Account:
        """Who stands in for its users, let in by KEYS."""
        return Account(name=ACCOUNT, keys=keys, groups=self.needs.groups)

    @property
    def to_run(self) -> tuple[Check, ...]:
        skipped = {"gpu"} if self.gpu_access.skipped else set()
        return tuple(check for check in self.every_check if check.kind not in skipped)

    @property
    def over_the_network(self) -> str:
        """The names of the checks that somebody outside has to make."""
        return ", ".join(one.name for one in self.checks if one.kind in OVER_THE_NETWORK)

    @property
    def asks_gpus(self) -> bool:
        """GPUs are given only where something is asked of them."""
        return any(check.kind == "gpu" for check in self.checks)

    @property
    def size(self) -> int:
        """How many instances it takes: two, where they are compared."""
        return 2 if any(check.kind == "identity" for check in self.checks) else 1
