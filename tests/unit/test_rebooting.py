"""A reboot is seen by what was in memory before it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from images.checks.reboot import MARKER, reboot
from lab.errors import LxdError, LxdUnreachable
from lab.lxd.model import Completed, InstanceSpec
from tests.support.fake_lxd.lxd import FakeLxd

DONE = Completed(exit_code=0, stdout="", stderr="")
ABSENT = Completed(exit_code=1, stdout="", stderr="")
KILLED = Completed(exit_code=137, stdout="", stderr="")


@pytest.fixture
def lxd() -> FakeLxd:
    lxd = FakeLxd()
    image = lxd.import_image(Path(__file__), None, properties={})
    lxd.create(InstanceSpec(name="it", image=image.fingerprint))
    lxd.start("it")
    return lxd


class System:
    """Answers commands; KILLED times it kills them, DOWN times nobody can enter it, then it is
    up anew."""

    def __init__(self, *, down: int, killed: int = 0, comes_back: bool = True) -> None:
        self.down = down
        self.killed = killed
        self.comes_back = comes_back
        self.rebooting = False

    def __call__(self, _name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
        if argv[0] == "systemctl":
            self.rebooting = True
            raise LxdError("The end of the command was not seen.")
        if argv[:2] == ["test", "-e"]:
            assert argv[2] == MARKER
            if not self.rebooting or not self.comes_back:
                return DONE
            self.killed -= 1
            if self.killed >= 0:
                return KILLED
            self.down -= 1
            if self.down >= 0:
                raise LxdError("Instance is not running.")
            return ABSENT
        return DONE


def test_it_is_back_when_the_marker_is_gone(lxd: FakeLxd) -> None:
    lxd.on_run = System(down=2)
    assert reboot(lxd, "it", timeout=60)


def test_a_question_that_was_killed_on_the_way_down_is_asked_again(lxd: FakeLxd) -> None:
    system = lxd.on_run = System(down=1, killed=2)
    assert reboot(lxd, "it", timeout=60)
    assert system.down < 0


def test_one_that_hangs_on_its_way_down_is_not_back(lxd: FakeLxd) -> None:
    lxd.on_run = System(down=0, comes_back=False)
    assert not reboot(lxd, "it", timeout=0)


def test_an_lxd_that_is_gone_is_no_verdict_on_the_image(lxd: FakeLxd) -> None:
    def gone(_name: str, _argv: Sequence[str], _stdin: bytes | None) -> Completed:
        raise LxdUnreachable("LXD does not answer.")

    lxd.on_run = gone
    with pytest.raises(LxdUnreachable):
        reboot(lxd, "it", timeout=60)
