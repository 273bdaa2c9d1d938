"""A fresh instance of a published image, as the checks ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from images.check_kinds.base import TIMED_OUT
from images.checks.reach import Way
from lab.errors import CommandTimeout, LxdError
from lab.lxd.model import Completed
from lab.lxd.port import Lxd
from lab.wait import poll

ADDRESS_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """The instance NAME, asked over LXD and, from outside, by WAY."""

    lxd: Lxd
    name: str
    way: Way

    @cached_property
    def ipv4(self) -> tuple[str, ...]:
        """The first question waits for it; empty if there is none in time."""

        def probe() -> tuple[str, ...] | None:
            return self.lxd.state(self.name).ipv4 or None

        try:
            return poll(probe, what=f"an address of {self.name}", timeout=ADDRESS_SECONDS)
        except LxdError:
            return ()

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        try:
            return self.lxd.run(self.name, argv, timeout=timeout)
        except CommandTimeout as error:
            return Completed(exit_code=TIMED_OUT, stdout="", stderr=error.brief)

    def said(self, *argv: str) -> str:
        return self.lxd.run(self.name, argv, timeout=30).stdout.strip()

    def ssh_login(self) -> Completed:
        return self.way.ssh_login(self.ipv4)

    def shake_hands(self, *, timeout: float) -> Completed:
        return self.way.shake_hands(self.ipv4, timeout=timeout)

    def read_banner(self, port: int, wanted: str, *, timeout: float) -> Completed:
        return self.way.read_banner(self.ipv4, port, wanted, timeout=timeout)
