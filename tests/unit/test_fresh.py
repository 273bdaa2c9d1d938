"""How checks reach a fresh instance: over LXD, and by the address they all share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from images.check_kinds.base import TIMED_OUT
from images.checks.fresh import Fresh
from lab.errors import CommandTimeout
from lab.lxd.model import Completed, InstanceSpec
from tests.support.fake_lxd.lxd import FakeLxd


class Way:
    """Answers with what it was asked."""

    told = ""

    def ssh_login(self, ipv4: tuple[str, ...]) -> Completed:
        return self._heard("ssh", ipv4)

    def shake_hands(self, ipv4: tuple[str, ...], *, timeout: float) -> Completed:
        return self._heard("rdp", ipv4, timeout)

    def read_banner(
        self, ipv4: tuple[str, ...], port: int, wanted: str, *, timeout: float
    ) -> Completed:
        return self._heard("port", ipv4, port, wanted, timeout)

    @staticmethod
    def _heard(*question: object) -> Completed:
        return Completed(exit_code=0, stdout=repr(question), stderr="")


@pytest.fixture
def lxd() -> FakeLxd:
    lxd = FakeLxd()
    image = lxd.import_image(Path(__file__), None, properties={})
    lxd.create(InstanceSpec(name="it", image=image.fingerprint))
    lxd.start("it")
    return lxd


@pytest.fixture
def fresh(lxd: FakeLxd) -> Fresh:
    return Fresh(lxd=lxd, name="it", way=Way())


def test_what_comes_from_outside_comes_to_its_address(lxd: FakeLxd, fresh: Fresh) -> None:
    ipv4 = lxd.state("it").ipv4
    assert ipv4
    assert fresh.ssh_login().stdout == repr(("ssh", ipv4))
    # Waited for once; what was found holds until a reboot.
    lxd.stop("it")
    assert fresh.shake_hands(timeout=7).stdout == repr(("rdp", ipv4, 7))
    banner = fresh.read_banner(80, "^x$", timeout=9)
    assert banner.stdout == repr(("port", ipv4, 80, "^x$", 9))


def test_a_command_that_does_not_end_is_an_answer(lxd: FakeLxd, fresh: Fresh) -> None:
    def answer(_name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
        raise CommandTimeout(f"{argv[0]} did not end within 60 s.")

    lxd.on_run = answer
    late = Completed(exit_code=TIMED_OUT, stdout="", stderr="sleep did not end within 60 s.")
    assert fresh.run(["sleep", "99"], timeout=60) == late
