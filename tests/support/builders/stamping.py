"""A lab in memory with two releases, in which containers can be stamped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from lab.errors import InputError
from lab.lxd.model import Completed, Image
from lab.rdp import Greeting
from lab.release import Needs, Release, Smoke, stable_alias
from lab.report import Report, Silent
from lab.settings.limits import LimitSettings
from lab.settings.settings import Settings
from lab.shares.ground import Ground
from provision.create.provision import Provisioned, provision
from provision.create.ready import SshProbe, Timeouts
from provision.create.request import Request
from tests.support.builders.public_keys import key
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH, FakeImage, FakeInstance

# Whatever machine the tests run on.
SETTINGS = Settings(limits=LimitSettings.model_validate({"memory": "256MiB", "processes": 3000}))

INFO = (
    "write_file bob/usr/local/bin/lab-info",
    "write_file bob/etc/update-motd.d/50-lab-info",
)
"""What is written into bob's container before each start."""


def release(template: str, short: str, needs: Needs) -> Release:
    return Release(
        template=template,
        short=short,
        version="20261121.1",
        recipe="3fa9",
        inputs={},
        parent=None,
        distro="debian-12",
        driver=None,
        built_at=EPOCH,
        commit="c0ffee",
        pipeline="1",
        smoke=Smoke.PASSED,
        needs=needs,
    )


BASE = release("base", "base", Needs(disk="20GiB"))
DOCKER = release(
    "docker-nested",
    "docker",
    Needs(
        config={"security.nesting": "true"}, groups=("docker",), disk="30GiB", ports={"rdp": 3389}
    ),
)


@dataclass
class Inside:
    """Answers commands as a well-behaved container does, and remembers them."""

    boot: str = '{"v1": {"datasource": "lxd", "errors": []}}\n0\n'
    accounts: bool = True
    chpasswd: int = 0
    ran: list[tuple[str, ...]] = field(default_factory=list)
    stdin: list[bytes] = field(default_factory=list)
    interrupt: str = ""

    def __call__(self, name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        self.ran.append(tuple(argv))
        if stdin is not None:
            self.stdin.append(stdin)
        if argv[0] == self.interrupt:
            raise KeyboardInterrupt
        if argv[0] == "sh":
            return Completed(exit_code=0, stdout=self.boot, stderr="")
        if argv[0] == "getent":
            return Completed(exit_code=0 if self.accounts else 2, stdout="", stderr="")
        if argv[0] == "chpasswd":
            echoed = (stdin or b"").decode().strip()
            return Completed(exit_code=self.chpasswd, stdout="", stderr=f"bad line: {echoed}")
        return Completed(exit_code=0, stdout="", stderr="")


def a_lab() -> FakeLxd:
    lxd = FakeLxd()
    lxd.on_run = Inside()
    for each in (BASE, DOCKER):
        publish(lxd, each)
    return lxd


def inside(lxd: FakeLxd) -> Inside:
    answers = lxd.on_run
    assert isinstance(answers, Inside)
    return answers


def publish(lxd: FakeLxd, made: Release) -> None:
    fingerprint = f"{made.template}-{made.version}"
    image = Image(fingerprint=fingerprint, properties=made.properties(), created_at=EPOCH)
    lxd.store.images[fingerprint] = FakeImage(image=image)
    lxd.store.aliases[stable_alias("lab", made.template)] = fingerprint


def bob(**wishes: object) -> Request:
    """Bob's usual request, with WISHES of its own."""
    usual: dict[str, object] = {"name": "bob", "template": "base", "keys": (key(),)}
    return Request(**{**usual, **wishes})  # type: ignore[arg-type]


class Ticks:
    """A clock on which waiting takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def hasty() -> Timeouts:
    ticks = Ticks()
    return Timeouts(boot=0, clock=ticks, sleep=ticks.sleep)


def banner(address: str) -> SshProbe:
    return SshProbe.BANNER


def greeted(address: str, port: int, /, *, timeout: float) -> Greeting:
    assert timeout > 0
    return Greeting(version="TLSv1.3", certificate="00")


def stamp(
    lxd: FakeLxd,
    request: Request,
    *,
    only_plan: bool = False,
    probe_ssh: Callable[[str], SshProbe] = banner,
    settings: Settings = SETTINGS,
    report: Report | None = None,
    ground: Ground | None = None,
) -> Provisioned:
    return provision(
        lxd,
        settings,
        request,
        report or Silent(),
        only_plan=only_plan,
        timeouts=hasty(),
        probe_ssh=probe_ssh,
        greet=greeted,
        bridged_ipv6=lambda: True,
        ground=ground,
    )


def refusal(lxd: FakeLxd, **wishes: object) -> str:
    """What is said to Bob, when nothing at all is changed."""
    before = list(lxd.changes)
    with pytest.raises(InputError) as error:
        stamp(lxd, bob(**wishes))
    assert lxd.changes == before
    return str(error.value)


def lab_of_bob() -> FakeLxd:
    """With Bob's container, and one that is not ours."""
    lxd = a_lab()
    stamp(lxd, bob(cpus=1, memory_bytes=1 << 30, disk_bytes=2 << 30))
    lxd.store.instances["default", "theirs"] = FakeInstance(profiles=("default",))
    lxd.changes.clear()
    return lxd
