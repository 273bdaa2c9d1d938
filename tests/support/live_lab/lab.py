"""The command line as a user types it, against a real LXD, with settings of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

from tests.support.live_lab.gpu_host import where_lxd_is
from tests.support.live_lab.served import acts_at_start, served

ROOT = Path(__file__).resolve().parents[3]
INVOKE = Path(sys.executable).parent / "invoke"


HEARD: Final[dict[signal.Signals, signal.Handlers | Callable[[int, FrameType | None], Any]]] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGTERM: signal.SIG_DFL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A checkout, or another directory and what is installed, with one settings file."""

    settings: Path
    root: Path = ROOT
    program: Path = INVOKE

    def invoke(
        self, *arguments: str, stdin: str = "", timeout: float = 1800, **environ: str
    ) -> Said:
        """Run `invoke ARGUMENTS` to its end."""
        environment = self.environment(environ)
        before = where_lxd_is(environment, self.root)
        if acts_at_start(environment) or (self.root, self.program) != (ROOT, INVOKE):
            ended = subprocess.run(
                [*before, str(self.program), *arguments],
                cwd=self.root,
                env=environment,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        else:
            ended = served(before, ROOT, arguments, environment, stdin=stdin, timeout=timeout)
        return Said(code=ended.returncode, out=ended.stdout, err=ended.stderr)

    def begin(
        self, *arguments: str, stdout: int | TextIO = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Start `invoke ARGUMENTS`, which hears every signal."""
        environment = self.environment({})
        for sign, usual in HEARD.items():
            # Ignored in a shell's background job or under nohup, and inherited.
            if signal.getsignal(sign) is signal.SIG_IGN:
                signal.signal(sign, usual)
        return subprocess.Popen(
            [*where_lxd_is(environment, self.root), str(self.program), *arguments],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def succeed(self, *arguments: str, stdin: str = "") -> Said:
        """Run it and insist on exit code 0."""
        said = self.invoke(*arguments, stdin=stdin)
        assert said.code == 0, f"invoke {' '.join(arguments)}: {said.code}\n{said.out}{said.err}"
        return said

    def signal_at(
        self, sign: signal.Signals | None, reached: Callable[[str], bool], *arguments: str
    ) -> Said:
        """Start `invoke ARGUMENTS`, send SIGN (or nothing) once a line of its progress says
        REACHED."""
        with self.begin(*arguments) as process:
            heard: list[str] = []
            for line in process.stderr or ():
                heard.append(line)
                if reached(line):
                    if sign is not None:
                        process.send_signal(sign)
                    break
            else:
                raise AssertionError(f"it ended before it was reached:\n{''.join(heard)}")
            out, err = process.communicate(timeout=300)
            return Said(code=process.returncode, out=out, err="".join(heard) + err)

    def also(self, file: Path, **settings: object) -> Lab:
        """The same lab with SETTINGS beside its own, written to FILE (JSON is YAML)."""
        own = json.loads(self.settings.read_text())
        keyed = {key.replace("_", "-"): value for key, value in settings.items()}
        file.write_text(json.dumps(own | keyed, default=str))
        return replace(self, settings=file)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "LAB_SETTINGS": str(self.settings), "CI": "true", **more}


# LXD 5.0.2 says so of about one command in 300 in containers with syscall interception.
NOT_ENTERED = "Failed to retrieve PID of executing child process"


def lxc_ended(
    *arguments: str,
    project: str = "default",
    stdin: str = "",
    environ: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """LXD's own client, whatever it ends with: an eye that shares nothing with the code under test.

    Every test that enters a container does it by this one, or by `lxc`.
    """

    def once() -> subprocess.CompletedProcess[str]:
        if arguments[0] == "exec" and not stdin:
            return _recorded(arguments[1:], project, environ, timeout)
        # `lxc query` refuses --project.
        there = ("--project", project) if project != "default" else ()
        return _client(*there, *arguments, stdin=stdin, environ=environ, timeout=timeout)

    for attempt in range(1, 5):
        ended = once()
        if NOT_ENTERED not in ended.stderr:
            break
        time.sleep(0.2 * attempt)
    return ended


def _client(
    *arguments: str, environ: Mapping[str, str] | None, timeout: float, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["lxc", "-q", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        input=stdin,
        timeout=timeout,
    )


def _recorded(
    arguments: Sequence[str],
    project: str,
    environ: Mapping[str, str] | None,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """`exec ARGUMENTS` with LXD writing what is said to files.

    Over the websockets of `lxc exec` some of it is lost on a busy machine (LXD 5.0.2).
    """
    at = arguments.index("--")
    (name, *options), argv = arguments[:at], list(arguments[at + 1 :])
    assert options[::2] in ([], ["--cwd"]), options
    where = f"/1.0/instances/{name}"
    body = {
        "command": argv,
        "cwd": options[1] if options else "",
        "record-output": True,
        "wait-for-websocket": False,
        "interactive": False,
    }
    asked = ("query", "--wait", "-X", "POST", "-d", json.dumps(body))
    ended = _client(*asked, f"{where}/exec?project={project}", environ=environ, timeout=timeout)
    if ended.returncode != 0:
        return ended
    told = json.loads(ended.stdout)["metadata"]
    place = (environ or os.environ).get("LXD_DIR")
    logs = Path(place) / "logs" if place else Path("/var/log/lxd")
    kept = logs / (name if project == "default" else f"{project}_{name}")
    texts = []
    for number in ("1", "2"):
        file = told["output"][number].rpartition("/")[2]
        texts.append((kept / file).read_text(errors="replace"))
        gone = f"{where}/logs/{file}?project={project}"
        _client("query", "-X", "DELETE", gone, environ=environ, timeout=timeout)
    return subprocess.CompletedProcess(argv, told["return"], texts[0], texts[1])


def lxc(*arguments: str, project: str = "default", timeout: float = 300) -> str:
    """What LXD's own client says; a failure of its own fails the test."""
    ended = lxc_ended(*arguments, project=project, timeout=timeout)
    if ended.returncode != 0:
        raise subprocess.CalledProcessError(
            ended.returncode, ["lxc", *arguments], ended.stdout, ended.stderr
        )
    return ended.stdout


def query(path: str) -> Any:
    """GET a path of LXD's API."""
    return json.loads(lxc("query", path))


def stable(lab_alias: str) -> str | None:
    """The fingerprint that an alias points at."""
    aliases = query("/1.0/images/aliases?recursion=1")
    return next((one["target"] for one in aliases if one["name"] == lab_alias), None)


def instances(project: str) -> list[str]:
    return sorted(one["name"] for one in query(f"/1.0/instances?recursion=1&project={project}"))


def ssh(
    address: str,
    account: str,
    key: Path,
    command: Sequence[str],
    *,
    stdin: str = "",
    log_level: str = "ERROR",
) -> Said:
    """Log in from the host as a user would from their desk; banners are of level INFO."""
    ended = subprocess.run(
        [
            "ssh",
            *("-i", str(key), "-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", f"LogLevel={log_level}", "-o", "ConnectTimeout=10"),
            f"{account}@{address}",
            *command,
        ],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Said(code=ended.returncode, out=ended.stdout, err=ended.stderr)
