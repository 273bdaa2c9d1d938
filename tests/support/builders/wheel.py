"""The wheel: built, and installed in an environment of its own, outside of the checkout."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run(*argv: str | Path, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    unset = {"LAB_SETTINGS", "PYTHONPATH"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [str(one) for one in argv],
        cwd=cwd,
        env={**environment, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    wheel: Path
    environment: Path
    elsewhere: Path
    """An empty directory, to run in."""

    @property
    def program(self) -> Path:
        return self.environment / "bin/labstamp"

    def labstamp(self, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.program, *shlex.split(line), **environ)

    def run(self, *argv: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """No LXD is reached: LXD_DIR leads nowhere."""
        here = {"LXD_DIR": str(self.elsewhere / "none"), "HOME": str(self.elsewhere)}
        return run(*argv, cwd=self.elsewhere, **here, **environ)


def install_wheel(directory: Path) -> Installed:
    """Of the checkout that the tests are in; without a package index."""
    built, environment, elsewhere = (directory / name for name in ("built", "venv", "elsewhere"))
    elsewhere.mkdir()
    ended = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built)
    assert ended.returncode == 0, ended.stderr
    (wheel,) = built.iterdir()
    venv.create(environment)
    # What it depends on, and pip, are there already: of the environment that the tests run in.
    (packages,) = environment.glob("lib/python3*/site-packages")
    theirs = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (packages / "of-the-tests.pth").write_text("".join(f"{path}\n" for path in sorted(theirs)))
    pip = (environment / "bin/python", "-m", "pip", "install", "--quiet")
    ended = run(*pip, "--no-index", "--no-deps", wheel)
    assert ended.returncode == 0, ended.stderr
    return Installed(wheel=wheel, environment=environment, elsewhere=elsewhere)
