"""STAND-INS for NVIDIA's userland, made as it comes: packages, an archive, an installer."""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from tests.support.live_lab.aptrepo import AptRepository, serve
from tests.support.live_lab.gpu_host import VERSION, simulated_gpus

OLD: Final = VERSION
"""The simulated host's, as it is started for the tests."""
NEW: Final = "550.163.01"

SOURCES: Final = Path(__file__).parents[2] / "standins"
_LIBRARIES: Final = {"ml": "libnvidia-ml.so", "cuda": "libcuda.so"}


def for_any_host() -> dict[str, str]:
    """What `driver:` says more, so that what is not about GPUs can be tested on any LXD."""
    return {} if simulated_gpus() else {"version": OLD}


class Scheme(Enum):
    """How the packages are called; `{branch}` is 535. The values are package → what it holds."""

    DEBIAN = "debian"
    UBUNTU = "ubuntu"
    NVIDIA = "nvidia"
    """NVIDIA's own archive for Ubuntu: no branch in the names from 590 on."""

    @property
    def packages(self) -> Mapping[str, tuple[str, ...]]:
        return _PACKAGES[self]

    def version(self, driver: str) -> str:
        """535.261.03 → 535.261.03-1"""
        return driver + _REVISIONS[self]


_PACKAGES: Final[Mapping[Scheme, Mapping[str, tuple[str, ...]]]] = {
    Scheme.DEBIAN: {
        "libnvidia-ml1": ("ml",),
        "libcuda1": ("cuda",),
        "nvidia-smi": ("smi",),
    },
    Scheme.UBUNTU: {
        "libnvidia-compute-{branch}": ("ml", "cuda"),
        "nvidia-utils-{branch}": ("smi",),
    },
    Scheme.NVIDIA: {
        "libnvidia-compute": ("ml", "cuda"),
        "nvidia-utils": ("smi",),
    },
}
_REVISIONS: Final = {Scheme.DEBIAN: "-1", Scheme.UBUNTU: "-0ubuntu1", Scheme.NVIDIA: "-1ubuntu1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A file; PATH from the root, without the slash."""

    path: str
    content: bytes | None = None
    """None for a link to TARGET."""
    target: str = ""
    mode: int = 0o644


def make_debs(directory: Path, version: str, scheme: Scheme = Scheme.DEBIAN) -> Path:
    """DIRECTORY/debs-VERSION with the packages of driver VERSION; made once."""
    made = directory / f"debs-{version}"
    if not made.exists():
        made.mkdir(parents=True)
        for name, holds in scheme.packages.items():
            _make_deb(made, name.format(branch=_branch(version)), version, holds, scheme)
    return made


def make_run(directory: Path, version: str) -> Path:
    """NVIDIA's installer of VERSION, with the same files behind it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for file in (*unpacked(version), _uninstaller()):
            _add(tar, file)
    script = _filled("installer.sh", version, SHA256=hashlib.sha256(archive.getvalue()).hexdigest())
    made = directory / f"NVIDIA-Linux-x86_64-{version}.run"
    made.write_bytes(script + archive.getvalue())
    made.chmod(0o755)
    return made


@contextmanager
def driver_repository(
    directory: Path, *versions: str, scheme: Scheme = Scheme.DEBIAN
) -> Iterator[AptRepository]:
    """A signed archive that has all VERSIONS, where containers reach it."""
    debs = [deb for one in versions for deb in make_debs(directory / "debs", one, scheme).iterdir()]
    with serve(directory, sorted(debs)) as repository:
        yield repository


def _make_deb(
    directory: Path, name: str, version: str, holds: Sequence[str], scheme: Scheme
) -> None:
    tree = directory.parent / f"tree-{name}-{version}"
    control = _control(name, version, scheme, is_tool="smi" in holds)
    for file in (
        StandIn(path="DEBIAN/control", content=control.encode()),
        *unpacked(version, holds),
    ):
        path = tree / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.content is None:
            path.symlink_to(file.target)
        else:
            path.write_bytes(file.content)
            path.chmod(file.mode)
    package = directory / f"{name}_{scheme.version(version)}_{_architecture()}.deb"
    _output("dpkg-deb", "--build", "--root-owner-group", "-Znone", str(tree), str(package))


def _control(name: str, version: str, scheme: Scheme, *, is_tool: bool) -> str:
    exact = scheme.version(version)
    fields = {
        "Package": name,
        "Version": exact,
        "Architecture": _architecture(),
        "Section": "non-free/libs",
        "Maintainer": "labstamp tests <tests@lab.example>",
        "Description": "STAND-IN of labstamp's tests, not NVIDIA's software",
    }
    branch = _branch(version)
    if is_tool:
        others = (one.format(branch=branch) for one in scheme.packages)
        fields["Depends"] = ", ".join(f"{one} (= {exact})" for one in others if one != name)
    if name.endswith(f"-{branch}"):
        # Two branches have the same files; Ubuntu's packages keep each other out like this.
        common = name.removesuffix(f"-{branch}")
        fields |= {"Provides": common, "Conflicts": common, "Replaces": common}
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def unpacked(version: str, holds: Sequence[str] = ("ml", "cuda", "smi")) -> Iterator[StandIn]:
    """The files themselves, for what has no package manager."""
    for kind, library in _LIBRARIES.items():
        if kind in holds:
            real = f"{library}.{version}"
            content = f"a stand-in of labstamp's tests for {real}\n".encode()
            yield StandIn(path=f"usr/lib/{_triplet()}/{real}", content=content)
            yield StandIn(path=f"usr/lib/{_triplet()}/{library}.1", target=real)
    if "smi" in holds:
        yield StandIn(path="usr/bin/nvidia-smi", content=_filled("nvidia-smi", version), mode=0o755)


def _uninstaller() -> StandIn:
    """What the real installer leaves for its own removal."""
    lines = (
        "#!/bin/sh",
        '[ "${1:-}" = --advanced-options ] && exit',
        f"rm -f /usr/lib/{_triplet()}/libcuda.so.* /usr/lib/{_triplet()}/libnvidia-ml.so.*",
        "rm -f /usr/bin/nvidia-smi /usr/bin/nvidia-uninstall",
    )
    text = "\n".join(lines) + "\n"
    return StandIn(path="usr/bin/nvidia-uninstall", content=text.encode(), mode=0o755)


def _filled(name: str, version: str, **more: str) -> bytes:
    text = (SOURCES / name).read_text()
    for key, value in {"VERSION": version, "TRIPLET": _triplet(), **more}.items():
        text = text.replace(f"@{key}@", value)
    return text.encode()


def _add(tar: tarfile.TarFile, file: StandIn) -> None:
    member = tarfile.TarInfo(file.path)
    if file.content is None:
        member.type, member.linkname = tarfile.SYMTYPE, file.target
        tar.addfile(member)
        return
    member.size, member.mode = len(file.content), file.mode
    tar.addfile(member, io.BytesIO(file.content))


def _branch(version: str) -> str:
    return version.partition(".")[0]


def _architecture() -> str:
    return _output("dpkg", "--print-architecture")


def _triplet() -> str:
    return f"{platform.machine()}-linux-gnu"


def _output(*argv: str) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return done.stdout.strip()
