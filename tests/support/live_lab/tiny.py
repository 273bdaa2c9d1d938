"""A lab with one template that is built in seconds, for everything that can go wrong with one."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.machine.local_daemon import lxd_directory
from tests.support.live_lab.lab import ROOT, Lab, instances, lxc, query, stable

PREFIX = "lttiny"
PROJECT = "lttiny-build"
STABLE = f"{PREFIX}/tiny"

_BOOT = """\
#cloud-config
users: [{name: root, lock_passwd: true}]
apt: {preserve_sources_list: true}
"""


# Half of what would be packed and unpacked in every build, and nothing that takes part in it.
_BALLAST = (
    "/usr/share/doc /usr/share/man /usr/share/locale /usr/share/i18n /usr/share/vim "
    "/usr/share/perl /usr/share/bash-completion /usr/lib/git-core /usr/bin/git* /usr/bin/vim* "
    "/var/cache/labstamp-pack"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """Its files, and what LXD holds of it."""

    lab: Lab
    directory: Path
    name: str = "tiny"

    def define(self, **keys: object) -> None:
        """Write the definition, with KEYS in place of the usual ones."""
        usual: dict[str, object] = {
            "name": self.name,
            "description": "A template that is built in seconds",
            "cloud-init": "tiny.yaml.j2",
            "checks": [
                {"name": "cloud-init", "kind": "cloud-init"},
                {"name": "address", "kind": "address"},
            ],
        }
        # A key a line, for errors to point at.
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in (usual | keys).items()]
        (self.directory / "definitions" / f"{self.name}.yaml").write_text("".join(lines))

    def boot_with(self, text: str) -> None:
        """Write the cloud-init source: the usual head, then TEXT."""
        (self.directory / "cloud-init" / "tiny.yaml.j2").write_text(_BOOT + text)

    def set(self, **settings: object) -> None:
        """Write the settings file, with SETTINGS beside the usual ones."""
        usual: dict[str, object] = {
            "alias-prefix": PREFIX,
            "build-project": PROJECT,
            "definitions": "definitions",
            "cloud-init": "cloud-init",
            "compression": "none",
            # Whatever GPUs the host has: a build in seconds has no room for a userland.
            "driver": {"delivery": "none"},
        }
        self.lab.settings.write_text(json.dumps({**usual, **settings}))

    def release(self) -> str | None:
        """The fingerprint that users get."""
        return stable(STABLE)

    def kept_log(self) -> str:
        """The text of the newest log; the other part of the tests writes there, too."""
        logs = (self.lab.root / "logs").glob("tiny-*.log")
        here = f" of LXD at {lxd_directory()}\n"
        is_managed = [path for path in logs if path.read_text().partition(here)[1]]
        return max(is_managed, key=lambda path: path.stat().st_mtime_ns).read_text()


def make_tiny(directory: Path, source: Mapping[str, str], name: str = "tiny") -> Tiny:
    """The files in DIRECTORY, to be built from SOURCE (as in lab.yaml)."""
    for folder in ("definitions", "cloud-init"):
        (directory / folder).mkdir()
    # What `provision` boots a release with.
    shutil.copy(ROOT / "cloud-init" / "container.yaml.j2", directory / "cloud-init")
    tiny = Tiny(lab=Lab(settings=directory / "lab.yaml"), directory=directory, name=name)
    tiny.define()
    tiny.boot_with("")
    tiny.set(source=source)
    return tiny


def litter() -> list[str]:
    """What a build must not leave, in words."""
    left = []
    for name in instances(PROJECT):
        config = query(f"/1.0/instances/{name}?project={PROJECT}")["config"]
        whole = name == "body-tiny" or name.startswith("source-")
        if not whole or config["user.lab.phase"] != "ready":
            left.append(f"instance {name}, {config.get('user.lab.phase')}")
    for image in query("/1.0/images?recursion=1"):
        aliases = [alias["name"] for alias in image["aliases"]]
        if not aliases and image["properties"].get("lab.template") == "tiny":
            left.append(f"image {image['fingerprint']} without a name")
        builder = image["properties"].get("lab.builder")
        if builder and not _runs(builder.split()[1]):
            left.append(f"image {aliases}, made by {builder}")
    return left + _homes() + [str(path) for path in _dead_scratch()]


def _homes() -> list[str]:
    """Of checked instances; that of one which is kept goes with it."""
    return [
        f"volume {volume['name']}"
        for pool in query("/1.0/storage-pools?recursion=1")
        for volume in query(f"/1.0/storage-pools/{pool['name']}/volumes/custom?recursion=1")
        if volume["name"].startswith(f"{PROJECT}-home-")
    ]


def _dead_scratch() -> Iterator[Path]:
    for path in Path(tempfile.gettempdir()).glob("labstamp-*-*-*"):
        if not _runs(path.name.split("-")[1]):
            yield path


def _runs(pid: str) -> bool:
    """Others may be building on this machine; what they make is theirs."""
    return Path("/proc", pid).exists()


def operations() -> list[Any]:
    """What the daemon does in the build project at this moment."""
    found = query(f"/1.0/operations?recursion=1&project={PROJECT}")
    return [one for group in found.values() for one in group]


def while_busy_with(word: str, phase: str) -> Callable[[str], bool]:
    """For `signal_at`: the daemon is at an operation named WORD within PHASE of tiny."""

    def reached(line: str) -> bool:
        if not at(phase)(line):
            return False
        for _ in range(200):
            if any(word in one["description"].lower() for one in operations()):
                return True
        raise AssertionError(f"never saw {word!r} going on")

    return reached


def at(phase: str) -> Callable[[str], bool]:
    """For `signal_at`: PHASE of tiny begins."""
    return lambda line: line.rstrip().endswith(f" tiny: {phase}")


def plainly(text: str, **known: str) -> str:
    """TEXT without clock times, seconds, versions, sizes and paths; `{NAME}` for those KNOWN."""
    for name, value in known.items():
        text = text.replace(value, f"{{{name}}}")
    # What goes on in the next line is set below the text, not below the time.
    text = re.sub(r"^(?:\d\d:\d\d:\d\d | {9})", "", text, flags=re.MULTILINE)
    text = re.sub(r" \(\d+ s\)$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b\d{8}\.\d+", "{version}", text)
    text = re.sub(r"\w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000\. +Up [\d.]+ seconds", "{time}", text)
    text = re.sub(r"\d{4}-\d\d-\d\d [\d:]+,\d+ ", "{time} ", text)
    text = re.sub(r"/dists/[\w-]+/", "/dists/{suite}/", text)
    text = re.sub(r"Cloud-init v\. [\d.]+", "Cloud-init", text)
    text = re.sub(r"\b\d+\.\d [KMG]iB", "{size}", text)
    return re.sub(r"\S*/logs/(\w+)-[\d-]+\.log", r"{logs}/\1.log", text)


def make_source(name: str, project: str) -> None:
    """A stopped instance in the default project: the body of base in PROJECT, made lighter."""
    lxc("copy", "body-base", name, "--target-project", "default", project=project)
    lxc("start", name)
    lxc("exec", name, "--", "sh", "-c", f"rm -rf {_BALLAST}")
    lxc("stop", "--force", name)
