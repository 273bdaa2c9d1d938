"""What every step of a build works with, and the log that each template's build leaves."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

from images.log_file import make_log
from images.remote_inputs import MIRROR, as_there, made_with
from images.templates.lab_files import LabFiles, read_lab_files
from lab.instances.own_projects import own_project
from lab.lxd.model import Progress
from lab.lxd.port import Lxd
from lab.machine.apt_sources import Mirrors
from lab.machine.local_daemon import lxd_directory
from lab.places import is_installed, log_directory, version
from lab.report import Report
from lab.settings.settings import Settings
from lab.urls import without_password

_STEP = re.compile(r"^(Get:\d+|Unpacking|Setting up|Processing triggers|Cloud-init v|I:|\+ )")


class Stopped(Exception):
    """Raised inside a step that notices that it shall stop; what it made is undone by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext(LabFiles):
    """LXD is the project that users see, BUILD the one for bodies, builders and checks."""

    lxd: Lxd
    build: Lxd
    report: Report
    commit: str
    keep_failed: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when all work is to end: Ctrl-C, or a bug in another step."""


def open_context(
    root: Path,
    settings: Settings,
    lxd: Lxd,
    report: Report,
    *,
    keep_failed: bool = False,
    read_files: Callable[[Path, Settings], LabFiles] = read_lab_files,
) -> BuildContext:
    """The lab's files and the LXD to build on. InputError names what is wrong in a file."""
    there: Mapping[str, str] = {}
    if not settings.is_local:
        there = made_with(lxd, settings.alias_prefix)
        settings = as_there(settings, there)
    files = read_files(root, settings)
    mirrors = files.mirrors
    if MIRROR in there:
        # What this machine's apt asks is nothing to the server.
        mirrors = Mirrors(main=settings.mirror, security=settings.security_mirror)
    return BuildContext(
        settings=files.settings,
        catalog=files.catalog,
        distro=files.distro,
        mirrors=mirrors,
        timezone=files.timezone,
        root=files.root,
        lxd=lxd,
        build=lxd.in_project(settings.build_project),
        report=report,
        commit=_commit(root),
        keep_failed=keep_failed,
    )


def have_build_project(context: BuildContext) -> None:
    """Make the project of builders and checks where it is not there yet."""
    own_project(context.lxd, context.build.project)


def _commit(root: Path) -> str:
    """The checkout's commit, `+` when files differ from it; `unknown` outside of git.

    The version where labstamp is installed, also below some checkout.
    """
    if is_installed(root):
        return version(root)
    git = [
        *("git", "--no-optional-locks", "-C", str(root), "-c", f"safe.directory={root}"),
        # Nothing that a repository may name is run.
        *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    ]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        status = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if status.stdout.strip() else "")


class Log:
    """The full log of one template's build; what happens now goes to the report as well.

    Every slow operation reports here, so this is also where a step is interrupted.
    """

    def __init__(self, path: Path, subject: str, context: BuildContext, file: TextIO) -> None:
        self.path = path
        self.subject = subject
        self.report = context.report
        self._stop = context.stop
        self._file = file
        self._phases: list[tuple[str, float]] = []

    def phase(self, name: str) -> None:
        stamp = datetime.now(tz=timezone.utc).astimezone().isoformat(timespec="seconds")
        self._phases.append((name, time.monotonic()))
        self.write(f"\n=== {stamp} {name}\n")
        self.report.phase(self.subject, name)

    def write(self, text: str) -> None:
        """Also with an empty TEXT, from those who wait."""
        if self._stop.is_set():
            raise Stopped
        text = without_password(text)
        self._file.write(text)
        self._file.flush()
        step = current_step(text)
        if step:
            self.report.detail(self.subject, step)

    def progress(self) -> Callable[[Progress], None]:
        """A callback for LXD's operations."""

        def tell(progress: Progress) -> None:
            self.write("")
            self.report.detail(self.subject, progress.text)

        return tell

    def timings(self) -> tuple[tuple[str, float], ...]:
        """Phases and their seconds so far."""
        ends = [began for _, began in self._phases[1:]] + [time.monotonic()]
        pairs = zip(self._phases, ends, strict=True)
        return tuple((name, end - began) for (name, began), end in pairs)


@contextmanager
def logged(context: BuildContext, subject: str) -> Iterator[Log]:
    """Open SUBJECT-TIME.log (lab.places.log_directory) for the length of a build."""
    stamp = datetime.now(tz=timezone.utc).astimezone().strftime("%Y%m%d-%H%M%S")
    path, file = make_log(log_directory(context.root), f"{subject}-{stamp}")
    remote = context.settings.remote
    where = lxd_directory() if context.settings.is_local else without_password(remote)
    with file:
        # One checkout may serve several.
        file.write(f"{subject} in the project {context.build.project} of LXD at {where}\n")
        yield Log(path, subject, context, file)


def current_step(text: str) -> str:
    """The last line of TEXT that tells an apt or build step; empty where none does."""
    for line in reversed(text.splitlines()):
        if _STEP.match(line):
            return line.strip()[:100]
    return ""
