"""A lab in memory with one template, built from what somebody made by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from images.build.packing import PACKED
from images.build.pipeline import build_images
from images.context import BuildContext, open_context
from lab.lxd.model import Completed
from lab.report import Silent
from lab.settings.settings import Settings
from lab.settings.source import FromInstance
from tests.support.builders.driven import put
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance

ROOT = Path(__file__).resolve().parents[3]
PREFIX = "kill"
PROJECT = "kill-build"
STABLE = f"{PREFIX}/tiny"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """The files of the lab, and its settings."""

    directory: Path
    settings: Settings

    def boot_with(self, words: str) -> None:
        """WORDS are what one body differs in from another."""
        (self.directory / "boot" / "tiny.yaml.j2").write_text(
            f"#cloud-config\nfinal_message: {words}\n"
        )

    def context(self, lxd: FakeLxd) -> BuildContext:
        build = lxd.in_project(PROJECT)
        return replace(self._opened, lxd=lxd, build=build, stop=threading.Event())

    @cached_property
    def _opened(self) -> BuildContext:
        """Once: reading its files takes as long as a build in memory does."""
        return open_context(self.directory, self.settings, FakeLxd(), Silent())

    def build(self, lxd: FakeLxd) -> None:
        build_images(self.context(lxd))


def make_checkout(directory: Path, *, compression: Literal["zstd", "none"] = "none") -> Checkout:
    """In DIRECTORY. LXD packs its images where COMPRESSION is none, else their builders do."""
    for name in ("images", "cloud-init"):
        (directory / name).symlink_to(ROOT / name)
    (directory / "definitions").mkdir()
    (directory / "definitions" / "tiny.yaml").write_text(
        "name: tiny\ndescription: x\ncloud-init: tiny.yaml.j2\n"
    )
    (directory / "boot").mkdir()
    settings = Settings(
        alias_prefix=PREFIX,
        build_project=PROJECT,
        distribution="debian-12",
        definitions=directory / "definitions",
        cloud_init=directory / "boot",
        source=FromInstance(kind="instance", name="by-hand"),
        timezone="Etc/UTC",
        compression=compression,
    )
    checkout = Checkout(directory=directory, settings=settings)
    checkout.boot_with("first")
    return checkout


_TOOL = "nvidia-smi"


@dataclass
class Machines:
    """What runs in its instances: boots that end well, packing, and the driver's installation."""

    lxd: FakeLxd
    broken: bool = False
    """Whether the driver's installation fails, after it has changed files."""

    def __call__(self, name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        said = ""
        if argv[-2:] == ["/run/labstamp/pack.sh", "release"]:
            self._pack(name)
        elif any(argument.endswith("/userland.sh") for argument in argv):
            return self._userland(name, *argv[5:])
        elif argv[0] == "nvidia-smi":
            said = self._gpus(name)
        elif "/run/labstamp/look.py" in argv:
            said = "[]"
        elif "result.json" in " ".join(argv):
            said = f"{json.dumps({'v1': {'errors': []}})}\n0\n"
        return Completed(exit_code=0, stdout=said, stderr="")

    def _userland(self, name: str, verb: str, *words: str) -> Completed:
        """userland.sh, with an archive that has nvidia-smi alone, of the host's version."""
        failed, said = False, ""
        if verb == "offers":
            said = f"{_TOOL} | {self.lxd.host_gpus[0].driver}-1 | archive\n"
        elif verb == "simulate":
            (version,) = (word.partition("=")[2] for word in words if word.startswith(_TOOL))
            said = f"Inst {_TOOL} ({version} archive [amd64])\n"
        elif verb == "install":
            (version,) = (word.partition("=")[2] for word in words if word.startswith(f"{_TOOL}="))
            put(self._called(name), version.removesuffix("-1"))
            failed = self.broken
        return Completed(exit_code=int(failed), stdout=said, stderr="apt broke." if failed else "")

    def _called(self, name: str) -> FakeInstance:
        return next(one for (_, called), one in self.lxd.store.instances.items() if called == name)

    def _pack(self, name: str) -> None:
        files = self._called(name).files
        for piece in PACKED:
            files[piece] = FakeFile(content=f"{piece} {self.lxd.store.next()}".encode())

    def _gpus(self, name: str) -> str:
        gpus = {gpu.pci: gpu.driver for gpu in self.lxd.host_gpus}
        held = [device.get("pci", "") for device in self._called(name).devices.values()]
        return "".join(f"0000{pci.upper()}, {gpus[pci]}\n" for pci in held if pci in gpus)


def tiny_lab() -> FakeLxd:
    """With nothing built yet."""
    lxd = FakeLxd()
    lxd.on_run = Machines(lxd)
    lxd.store.instances["default", "by-hand"] = FakeInstance(profiles=("default",))
    return lxd
