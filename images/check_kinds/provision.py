"""The check that is made of every image, whatever its definition says. Pure."""

from __future__ import annotations

from typing import Final

from images.check_kinds.base import Instance, Question, all_lines, wrong_exit
from images.check_kinds.evidence import Case
from lab.lxd.model import Completed

PROVISION: Final = "provision"
"""Its name; no definition has a check of that name."""


class Provision(Question):
    """An account as users have it can be made. What fails here would end every provisioning."""

    name: str = PROVISION
    argv: tuple[str, ...]

    def ask(self, instance: Instance) -> Completed:
        return instance.run(self.argv, timeout=self.timeout)

    def why_wrong(self, answer: Completed, case: Case) -> str:
        if found := all_lines(answer) or wrong_exit(answer, 0):
            return found
        errors = case.first.boot_errors
        return f"cloud-init: {errors}" if errors else ""
