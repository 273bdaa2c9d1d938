"""What a first boot makes does not get into an image, however late it makes it (case B4)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.live_lab.driven import pack_inside
from tests.support.live_lab.lab import ROOT, Lab, lxc
from tests.support.live_lab.tiny import STABLE, Tiny

pytestmark = pytest.mark.plain

DELAYS = (0, 1, 2, 3, 4, 5)
LOOK = "lt-unbooted"
UNIT = """\
[Unit]
ConditionPathExists=!/etc/late-secret-{delay}
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'sleep {delay}; umask 77; head -c 32 /dev/urandom >/etc/late-secret-{delay}'
[Install]
WantedBy=multi-user.target
"""


def _late_units() -> str:
    """A cloud-config that installs units which make a secret at each first boot, some late."""
    files = [
        {"path": f"/etc/systemd/system/late-{delay}.service", "content": UNIT.format(delay=delay)}
        for delay in DELAYS
    ]
    enable = [["systemctl", "enable", f"late-{delay}.service"] for delay in DELAYS]
    return f"write_files: {json.dumps(files)}\nruncmd: {json.dumps(enable)}\n"


@contextmanager
def busy_cores() -> Iterator[None]:
    """Two processes that do nothing but count."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def _secrets_in(image: str) -> list[str]:
    """Names in /etc of IMAGE, looked at in an instance that was never started."""
    lxc("init", image, LOOK)
    try:
        names = json.loads(lxc("query", f"/1.0/instances/{LOOK}/files?path=/etc"))
        return sorted(name for name in names if name.startswith("late-secret"))
    finally:
        lxc("delete", "--force", LOOK)


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_no_late_secret_is_in_an_image(tiny: Tiny, compression: str) -> None:
    """Packed by its builder and by LXD; both cores are kept busy by somebody else."""
    tiny.boot_with(_late_units())
    if compression == "zstd":
        pack_inside(tiny)
    with busy_cores():
        tiny.lab.succeed("build-images")
    assert _secrets_in(STABLE) == []


def test_a_child_s_builder_boots_its_parent_s_units_and_the_judge_names_what_they_made(
    tiny: Tiny,
) -> None:
    tiny.boot_with(_late_units())
    child = {
        "name": "child",
        "description": "Made in a boot of what tiny left",
        "parent": "tiny",
        "cloud-init": "child.yaml.j2",
        "checks": [{"name": "cloud-init", "kind": "cloud-init"}],
    }
    definition = tiny.directory / "definitions" / "child.yaml"
    definition.write_text(json.dumps(child))
    wait = ["sh", "-c", "until [ -e /etc/late-secret-0 ]; do sleep 0.2; done"]
    (tiny.directory / "cloud-init" / "child.yaml.j2").write_text(
        f"#cloud-config\nruncmd: {json.dumps([wait])}\n"
    )
    said = tiny.lab.invoke("build-images")
    assert said.code == 5, said.err
    assert "secrets: every container would have the same /etc/late-secret-0 (random bytes)" in (
        said.err
    )
    assert "current" in said.err, "tiny itself is given to users"

    # The author says that each container makes its own.
    own = [f"/etc/late-secret-{delay}" for delay in DELAYS]
    definition.write_text(json.dumps(child | {"own-files": own}))
    tiny.lab.succeed("build-images")
    assert _secrets_in("lttiny/child") == []


def test_with_the_protection_taken_out_the_judge_finds_it(tiny: Tiny, tmp_path: Path) -> None:
    """A copy of the project whose builders boot before they are cleaned, as they once did."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns(".git", ".venv", "logs", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored)
    (copy / "lab" / "instances" / "at_rest.py").write_text(
        "from contextlib import contextmanager\n"
        "from lab.instances.boot import wait_for_cloud_init\n"
        "RAW = 'raw.lxc'\n"
        "@contextmanager\n"
        "def at_rest(lxd, name):\n"
        "    if name.startswith('check-'):\n"
        "        from importlib import util\n"
        f"        spec = util.spec_from_file_location('rest', '{ROOT}/lab/instances/at_rest.py')\n"
        "        rest = util.module_from_spec(spec)\n"
        "        spec.loader.exec_module(rest)\n"
        "        with rest.at_rest(lxd, name):\n"
        "            yield\n"
        "        return\n"
        "    lxd.start(name)\n"
        "    wait_for_cloud_init(lxd, name, timeout=120)\n"
        "    yield\n"
        "    lxd.stop(name, force=True)\n"
    )
    tiny.boot_with(_late_units())
    unprotected = Lab(settings=tiny.lab.settings, root=copy)
    said = unprotected.invoke("build-images")
    assert said.code == 5, said.err
    assert "secrets: every container would have the same " in said.err
    assert "/etc/late-secret-" in said.err
    assert tiny.release() is None
