"""Commands and files inside the fake's instances."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence

from lab.errors import LxdError, TooMuch
from lab.lxd.contents import MOST
from lab.lxd.errors import refused
from lab.lxd.model import Completed, State
from lab.lxd.port import OnOutput
from lab.machine.terminal import Streams
from lab.sizes import format_size
from tests.support.fake_lxd.store import FakeCalls, FakeFile, FakeVolume


class FakeCommands(FakeCalls):
    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        on_output: OnOutput | None = None,
    ) -> Completed:
        what = f"run {argv[0]} in {name}"
        if self._instance(name, what).state is not State.RUNNING:
            raise refused(what, "Instance is not running", status=400)
        if list(argv) == ["cat", "/proc/1/comm"]:
            return Completed(exit_code=0, stdout=f"{self._init(name, what)}\n", stderr="")
        completed = self.store.on_run(name, argv, stdin)
        for text in (completed.stdout, completed.stderr):
            if on_output is not None and text:
                on_output(text)
        return completed

    def attach(
        self,
        name: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        env: Mapping[str, str] | None = None,
    ) -> int:
        what = f"run {argv[0]} in {name}"
        if self._instance(name, what).state is not State.RUNNING:
            raise refused(what, "Instance is not running", status=400)
        with os.fdopen(os.dup(streams.stdin), "rb") as given:
            typed = given.read()
        completed = self.store.on_run(name, argv, typed)
        os.write(streams.stdout, completed.stdout.encode())
        os.write(streams.stderr, completed.stderr.encode())
        return completed.exit_code

    def console_log(self, name: str) -> bytes:
        self._instance(name, f"show the console of {name}")
        return self.store.consoles.get((self._project, name), b"")

    def start_log(self, name: str) -> bytes:
        self._instance(name, f"show the log of {name}")
        return b""

    def _init(self, name: str, what: str) -> str:
        """As the kernel would name it: LXC starts what `lxc.init.cmd` says, else /sbin/init."""
        raw = self._instance(name, what).config.get("raw.lxc", "")
        wanted = [line.partition("=")[2].split() for line in raw.splitlines() if "init.cmd" in line]
        return wanted[0][0].rpartition("/")[2] if wanted else "systemd"

    def init_pid(self, name: str) -> int | None:
        """Nothing runs on this machine."""
        self._instance(name, f"show the state of {name}")
        return None

    def read_file(self, name: str, path: str, *, most: int = MOST) -> bytes:
        what = f"read {path} in {name}"
        files, within = self._at(name, path, what)
        if within in files:
            if len(files[within].content) > most:
                raise TooMuch(f"LXD could not {what}: it is larger than {format_size(most)}.")
            return files[within].content
        if any(file.startswith(within.rstrip("/") + "/") for file in files):
            raise LxdError(f"LXD could not {what}.", details=f"{path} is not a file.")
        raise refused(what, "Not Found", status=404)

    def last_written(self, name: str, path: str) -> str | None:
        """Here, other content is of another time."""
        files, within = self._at(name, path, f"look at {path} in {name}")
        file = files.get(within)
        return None if file is None else hashlib.sha256(file.content).hexdigest()

    def list_directory(self, name: str, path: str) -> tuple[str, ...]:
        what = f"list {path} in {name}"
        files, within = self._at(name, path, what)
        if within in files:
            raise LxdError(f"LXD could not {what}.", details=f"{path} is not a directory.")
        below = within.rstrip("/") + "/"
        found = {file.removeprefix(below).split("/")[0] for file in files if file.startswith(below)}
        if not found:
            raise refused(what, "Not Found", status=404)
        return tuple(sorted(found))

    def write_file(
        self, name: str, path: str, content: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0
    ) -> None:
        self._do("write_file", f"{name}{path}")
        files, within = self._at(name, path, f"write {path} in {name}")
        files[within] = FakeFile(content=content, mode=mode, uid=uid, gid=gid)

    def delete_file(self, name: str, path: str) -> None:
        self._do("delete_file", f"{name}{path}")
        files, within = self._at(name, path, f"delete {path} in {name}")
        files.pop(within, None)

    def _at(self, name: str, path: str, what: str) -> tuple[dict[str, FakeFile], str]:
        """The files that PATH is among, and what it is called there.

        A volume's, below where it is mounted; and mounted it is only while the instance runs.
        """
        found = self._instance(name, what)
        for device in found.devices.values() if found.state is State.RUNNING else ():
            key = (device.get("pool", ""), device.get("source", ""))
            below = device.get("path", "").rstrip("/")
            if key in self.store.volumes and f"{path}/".startswith(f"{below}/"):
                files = self.store.contents.setdefault(key, FakeVolume()).files
                return files, path.removeprefix(below)
        return found.files, path
