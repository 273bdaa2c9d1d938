"""A lab in memory on a host with four GPUs, whose containers can get another driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lab import labels
from lab.driver.userland import InstallUserland
from lab.errors import LabError
from lab.lxd.model import Completed, Gpu, State
from lab.lxd.port import Lxd
from lab.report import Silent
from lab.settings.driver import DriverSettings
from lab.settings.settings import Settings
from provision.drivers.plan import Options
from provision.drivers.sync import AT_ONCE, Outcome, Prepare, prepared, sync_drivers
from tests.support.builders.stamping import BASE, publish
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance

OLD, NEW = "535.261.03", "550.163.01"
_LIBRARIES = "/usr/lib/x86_64-linux-gnu"
STATUS = "/var/lib/dpkg/status"
GPUS = tuple(
    Gpu(pci=f"0000:{bus}:00.0", uuid=f"GPU-{bus}", model="RTX 4090", driver=None)
    for bus in ("31", "4b", "b1", "ca")
)


def settings(delivery: str = "image") -> Settings:
    return Settings(driver=DriverSettings.model_validate({"delivery": delivery}))


def driven_lab(*, driver: str | None, released: str | None = None) -> FakeLxd:
    lxd = FakeLxd()
    lxd.host_gpus = tuple(replace(gpu, driver=driver) for gpu in GPUS) if driver else ()
    if released:
        publish(lxd, replace(BASE, driver=released))
    return lxd


def userland_files(version: str) -> tuple[str, ...]:
    return tuple(f"{_LIBRARIES}/{name}.so.{version}" for name in ("libcuda", "libnvidia-ml"))


def give(
    lxd: FakeLxd,
    name: str,
    driver: str | None,
    *,
    state: State = State.RUNNING,
    gpu: str | None = None,
    config: Mapping[str, str] | None = None,
) -> FakeInstance:
    """A container NAME with the userland DRIVER in it."""
    made = FakeInstance(
        state=state,
        config={labels.OWNER: name, labels.PHASE: labels.READY, **(config or {})},
        devices={"gpu": {"type": "gpu", "pci": gpu}} if gpu else {},
        profiles=("default",),
        files={
            STATUS: FakeFile(content=b"Package: hello\n"),
            "/root/notes": FakeFile(content=b"mine"),
            f"{_LIBRARIES}/libc.so.6": FakeFile(content=b"c"),
        },
    )
    lxd.store.instances["default", name] = made
    put(made, driver)
    return made


def put(made: FakeInstance, driver: str | None) -> None:
    """The userland DRIVER in place of any other, with what dpkg notes of it."""
    for path in [path for path in made.files if "libcuda" in path or "libnvidia-ml" in path]:
        del made.files[path]
    for path in userland_files(driver) if driver else ():
        made.files[path] = FakeFile(content=b"library")
    made.files[STATUS] = FakeFile(content=f"Package: nvidia {driver}\n".encode())


@dataclass
class Installer:
    """Stands in for `lab.driver.userland.install`; writes down for whom."""

    version: str = NEW
    did: list[str] = field(default_factory=list)
    failures: dict[str, LabError] = field(default_factory=dict)
    """By name: raised after the files were changed."""
    early: dict[str, LabError] = field(default_factory=dict)
    """By name: raised before anything is changed."""
    meanwhile: Callable[[str], None] = lambda _: None

    def __call__(
        self,
        lxd: Lxd,
        name: str,
        _userland: object,
        *,
        on_output: Callable[[str], None],
    ) -> None:
        assert isinstance(lxd, FakeLxd)
        self.did.append(name)
        self.meanwhile(name)
        on_output("Setting up libcuda1\n")
        if name in self.early:
            raise self.early[name]
        put(lxd.store.instances["default", name], self.version)
        if name in self.failures:
            raise self.failures[name]


@dataclass
class Smi:
    """Answers inside containers: nvidia-smi of the host's VERSION, and who holds the nodes."""

    lxd: FakeLxd
    version: str = NEW
    busy: dict[str, str] = field(default_factory=dict)
    """Name → what the scan for open nodes prints."""
    broken: tuple[str, ...] = ()
    installer: Installer = field(default_factory=Installer)

    def __call__(self, name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        if argv[0] == "nvidia-smi":
            return self._query(name)
        if argv[0] == "sh" and "/proc/[0-9]*/fd" in argv[2]:
            return Completed(exit_code=0, stdout=self.busy.get(name, ""), stderr="")
        return Completed(exit_code=0, stdout="", stderr="")

    def _query(self, name: str) -> Completed:
        if name in self.broken:
            return Completed(exit_code=18, stdout="", stderr="Driver/library version mismatch")
        devices = self.lxd.store.instances["default", name].devices.values()
        lines = [f"0000{device['pci'].upper()}, {self.version}\n" for device in devices]
        return Completed(exit_code=0, stdout="".join(lines), stderr="")


def every(lxd: FakeLxd) -> list[FakeInstance]:
    return list(lxd.store.instances.values())


def inside(lxd: FakeLxd, name: str) -> FakeInstance:
    return lxd.store.instances["default", name]


def smi(lxd: FakeLxd) -> Smi:
    answers = lxd.on_run
    assert isinstance(answers, Smi)
    return answers


def run(
    lxd: FakeLxd,
    *names: str,
    restart: bool = False,
    force: bool = False,
    at_once: int = AT_ONCE,
    prepare: Prepare = prepared,
    install: InstallUserland | None = None,
) -> Outcome:
    return sync_drivers(
        lxd,
        settings(),
        names,
        Options(restart=restart, force=force),
        Silent(),
        at_once=at_once,
        prepare=prepare,
        install=install or smi(lxd).installer,
    )


def has(lxd: FakeLxd, name: str, driver: str) -> bool:
    return set(userland_files(driver)) <= set(inside(lxd, name).files)
