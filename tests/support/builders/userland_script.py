"""A container in which userland.sh answers as a test has it answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.driver.userland import Userland, userland_of
from lab.lxd.model import Completed, State
from lab.settings.driver import DriverSettings
from lab.settings.settings import Settings
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance

OLD, NEW = "535.261.03", "550.163.01"
MULTIARCH = "/usr/lib/x86_64-linux-gnu"
INBOX = "/var/cache/labstamp-userland"


def files(version: str, directory: str = MULTIARCH) -> dict[str, FakeFile]:
    names = (f"libnvidia-ml.so.{version}", f"libcuda.so.{version}", "libcuda.so.1", "libc.so.6")
    return {f"{directory}/{name}": FakeFile(content=b"x") for name in names}


def inside(lxd: FakeLxd) -> dict[str, FakeFile]:
    return lxd.store.instances["default", "bob"].files


def of(version: str = NEW, **driver: object) -> Userland:
    return userland_of(Settings(driver=DriverSettings(**driver)), version)  # type: ignore[arg-type]


DONE = Completed(exit_code=0, stdout="", stderr="")


def ended(exit_code: int, stdout: str = "", stderr: str = "") -> Completed:
    return Completed(exit_code=exit_code, stdout=stdout, stderr=stderr)


@dataclass(slots=True)
class Script:
    """userland.sh answers so, by its verb; afterwards LEAVES is inside."""

    lxd: FakeLxd
    leaves: str | None = None
    answers: dict[str, list[Completed]] = field(default_factory=dict)
    ran: list[Sequence[str]] = field(default_factory=list)
    """Without what is the same for all."""

    def __post_init__(self) -> None:
        self.lxd.on_run = self.answer

    def answer(self, _name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
        if argv[0] == "rm":
            self.ran.append(argv)
            return DONE
        assert argv[:4] == ["flock", "--close", INBOX, "sh"]
        words = argv[5:] if argv[4] == f"{INBOX}/userland.sh" else argv[4:]
        self.ran.append(words)
        if words[0] in {"install", "run"} and self.leaves:
            inside(self.lxd).update(files(self.leaves))
        answers = self.answers.get(words[0], [])
        return answers.pop(0) if answers else DONE

    @property
    def verbs(self) -> list[str]:
        return [words[0] for words in self.ran]


DPKG = "ii  dpkg amd64 1.21.22\n"
HAS_OLD = ended(0, f"{DPKG}ii  libcuda1:amd64 amd64 {OLD}-1\nii  kmod amd64 30+20221128-1\n")
OFFERS = ended(
    0,
    f"nvidia-smi | {NEW}-1 | http://deb bookworm/non-free amd64 Packages\n"
    f"  libcuda1 | {NEW}-1 | http://deb bookworm/non-free amd64 Packages\n",
)
SIMULATED = ended(
    0,
    f"Inst libcuda1 [{OLD}-1] ({NEW}-1 Debian:12 [amd64])\n"
    f"Inst nvidia-smi ({NEW}-1 Debian:12 [amd64])\n",
)


def with_bob() -> FakeLxd:
    """With a running container, whose files are none."""
    lxd = FakeLxd()
    made = FakeInstance(state=State.RUNNING, profiles=("default",), files={})
    lxd.store.instances["default", "bob"] = made
    return lxd
