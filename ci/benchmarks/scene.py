"""Where the contenders meet: an LXD of its own, its pool and bridge, and the plain image."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ci.benchmarks.inputs import (
    PLAIN,
    Template,
    make_driver,
    read_files,
    read_templates,
)
from ci.benchmarks.lxc import query, run
from images.build.bootstrap import command, write_metadata
from images.templates.lab_files import LabFiles
from lab.errors import InputError
from lab.settings.source import Bootstrap

POOL = "bench"
BRIDGE = "benchbr0"
_POOL_SIZE = "60GiB"  # sparse
_KEEP_SOURCES = "printf 'apt: {preserve_sources_list: true}\\n' >\"$1\"/etc/cloud/cloud.cfg.d/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    root: Path
    directory: Path
    """For what the bench writes; gone at its end."""
    log: Path
    templates: tuple[Template, ...]
    mirror_host: str

    @property
    def released(self) -> tuple[Template, ...]:
        """The templates that an image is made of."""
        return tuple(one for one in self.templates if not one.abstract)

    def driver(self, version: str) -> Path:
        return make_driver(self.directory, version)


def set_scene(root: Path, directory: Path, log: Path) -> Scene:
    """Prepare the LXD of $LXD_DIR, as far as it is not prepared yet. Nothing here is timed."""
    files = read_files(root)
    if files.mirrors.main is None:
        raise InputError("This host's apt sources name no mirror.", fix="Look at /etc/apt.")
    directory.mkdir(exist_ok=True)
    scene = Scene(
        root=root,
        directory=directory,
        log=log,
        templates=read_templates(files),
        mirror_host=urlsplit(files.mirrors.main).hostname or "",
    )
    if not query("/1.0/storage-pools"):
        have_pool_and_bridge(log)
    if PLAIN not in {one["name"] for one in query("/1.0/images/aliases?recursion=1")}:
        _have_plain_image(scene, files)
    return scene


def have_pool_and_bridge(log: Path) -> None:
    preseed = {
        "storage_pools": [{"name": POOL, "driver": "btrfs", "config": {"size": _POOL_SIZE}}],
        "networks": [
            {
                "name": BRIDGE,
                "type": "bridge",
                "config": {
                    "ipv4.address": os.environ.get("BENCH_SUBNET", "10.79.0.1/24"),
                    "ipv4.nat": "true",
                    "ipv6.address": "none",
                },
            }
        ],
        "profiles": [
            {
                "name": "default",
                "devices": {
                    "root": {"type": "disk", "path": "/", "pool": POOL},
                    "eth0": {"type": "nic", "network": BRIDGE, "name": "eth0"},
                },
            }
        ],
    }
    answer = subprocess.run(
        ["lxd", "init", "--preseed"],
        input=json.dumps(preseed),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise InputError("LXD refused the bench's preseed.", details=answer.stderr)
    run(["lxc", "-q", "profile", "show", "default"], log)


def _have_plain_image(scene: Scene, files: LabFiles) -> None:
    """The distribution with cloud-init and nothing of ours, made once and given to all."""
    source, mirrors = files.distro.source, files.mirrors
    if not isinstance(source, Bootstrap):
        raise InputError(
            f"{files.distro.name} is not bootstrapped; the bench needs a tree made from packages.",
            fix="Run the bench on Debian.",
        )
    components = " ".join(source.components)
    archives = [f"deb {mirrors.main} {suite} {components}" for suite in files.distro.suites]
    if mirrors.security is not None:
        archives.append(f"deb {mirrors.security} {files.distro.security_suite} {components}")
    rootfs, metadata = scene.directory / "rootfs.tar", scene.directory / "metadata.tar"
    argv = command(source, archives=archives, target=rootfs)
    # Else cloud-init names mirrors of its own choice, and contenders would use different ones.
    argv.append(f"--customize-hook={_KEEP_SOURCES}90-bench.cfg")
    run(argv, scene.log)
    write_metadata(files.distro, metadata)
    run(["lxc", "-q", "image", "import", str(metadata), str(rootfs), "--alias", PLAIN], scene.log)
    # Unpacked into the pool here, so that no contender's first launch pays for it.
    run(["lxc", "-q", "init", PLAIN, PLAIN], scene.log)
    rootfs.unlink()
