"""ci/up on a machine that is pretended: its programs are stand-ins, its script the real one."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each says what it would on a machine that has everything but images and a demo.
PROGRAMS = {
    "id": '[ "$1" = -u ] && echo 0 || echo root',
    "getent": '[ "$1" = group ] || echo "root:x:0:0:root:$FAKE_HOME:/bin/sh"',
    "dpkg-query": "printf installed",
    "lxc": "echo '{}'",
    "runuser": 'shift 3; exec "$@"',
}
INVOKE = """
echo "$*" >>"$FAKE_HOME/typed"
case $1 in
    build-images)
        cat "$FAKE_HOME/building" 2>/dev/null
        . "$FAKE_HOME/build-images" ;;
    images) cat "$FAKE_HOME/images.json" ;;
esac
"""


# No shell: one may miss a signal that comes just before it begins to wait.
AT_WORK = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("at work", flush=True)
heard = signal.sigtimedwait([signal.SIGTERM], 40)
print("undone" if heard else "nobody told", flush=True)
sys.exit(130)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    root: Path
    home: Path
    programs: Path

    def has(self, stale: str = "", **templates: bool) -> None:
        """Whether the TEMPLATES have a release, and why those are stale that have one."""
        document = [
            {
                "name": {"docker": "docker-nested", "xfce": "xfce-xrdp"}.get(short, short),
                "short": short,
                "stale": stale or None if has else "it has no release",
                "versions": [{"state": "current"}] if has else [{"state": "failed"}],
            }
            for short, has in templates.items()
        ]
        (self.home / "images.json").write_text(json.dumps({"templates": document}))

    def building(self, script: str) -> None:
        (self.home / "build-images").write_text(script)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        path = f"{self.programs}:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.Popen(
            ["bash", str(self.root / "ci" / "up"), *arguments],
            env={"PATH": path, "FAKE_HOME": str(self.home), "CI": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, *arguments: str) -> tuple[int, list[str]]:
        process = self.begin(*arguments)
        out, _ = process.communicate(timeout=60)
        return process.returncode, out.splitlines()

    def typed(self) -> list[str]:
        return (self.home / "typed").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root, home, programs = tmp_path / "checkout", tmp_path / "home", tmp_path / "programs"
    shutil.copytree(ROOT / "ci", root / "ci")
    for directory in (home / ".ssh", programs, root / ".venv" / "bin"):
        directory.mkdir(parents=True)
    for name, text in PROGRAMS.items():
        write_program(programs / name, text)
    write_program(root / ".venv" / "bin" / "invoke", INVOKE)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    lock = root / "requirements.lock"
    lock.write_text("")
    stamp = f"{hashlib.sha256(b'').hexdigest()}  requirements.lock\n"
    (root / ".venv" / ".installed").write_text(stamp)
    (home / ".ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAA")
    machine = Machine(root=root, home=home, programs=programs)
    machine.building("exit 0")
    return machine


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_what_failed_costs_itself_alone_and_is_told_last(machine: Machine) -> None:
    machine.building("exit 5")
    machine.has(base=True, docker=True, xfce=False)
    code, said = machine.up("--all")
    assert code == 5
    key = machine.home / ".ssh" / "id_ed25519.pub"
    assert f"provision demo --template docker --key {key}" in machine.typed()
    assert said[-3].startswith("Done in ")
    assert "but not all is built (invoke build-images: exit 5)." in said[-3]
    assert said[-2:] == [
        "  xfce-xrdp: no release",
        "Next: see above why; then again: ci/up --all",
    ]


def test_a_release_of_before_is_told_apart_from_none(machine: Machine) -> None:
    machine.building("exit 5")
    machine.has("packages changed", docker=True)
    code, said = machine.up("--only", "docker")
    assert code == 5
    assert said[-2:] == [
        "  docker-nested: its users get the release of before (packages changed)",
        "Next: see above why; then again: ci/up --only docker",
    ]


def test_the_demo_is_of_base_where_docker_failed(machine: Machine) -> None:
    machine.building("exit 5")
    machine.has(base=True, docker=False)
    code, said = machine.up()
    assert code == 5
    assert any(line.startswith("provision demo --template base ") for line in machine.typed())
    assert "  The container demo is of base, since docker has no release." in said


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_without_any_release_it_ends_where_it_failed(machine: Machine, code: int) -> None:
    machine.building(f"exit {code}")
    machine.has(base=False, docker=False)
    ended, said = machine.up()
    assert ended == code
    assert not any(line.startswith("provision") for line in machine.typed())
    assert said[-2].startswith("Stopped in step: build images: base,docker.")
    assert said[-1].startswith("Next: put right what it says, then again: ci/up;")


def test_all_is_well(machine: Machine) -> None:
    machine.has(base=True, docker=True)
    code, said = machine.up()
    assert code == 0
    assert said[-1].startswith(("Done in ", "Nothing had to change"))
    code, said = machine.up("--no-demo")
    assert code == 0
    assert said[-1].startswith("Nothing had to change")


def test_a_signal_reaches_what_is_at_work(machine: Machine) -> None:
    machine.building(f"exec {sys.executable} -c '{AT_WORK}'")
    machine.has(base=True, docker=True)
    process = machine.begin()
    wait_for(process, "at work")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 20, out
    assert process.returncode == 143
    assert "undone" in out
    assert "Stopped in step: build images" in out
    machine.building("exit 0")
    assert machine.up()[0] == 0


def test_the_next_one_waits_for_what_a_killed_one_has_at_work(machine: Machine) -> None:
    machine.building('echo at work; sleep 3; echo built >>"$FAKE_HOME/typed"')
    machine.has(base=True, docker=True)
    process = machine.begin()
    wait_for(process, "at work")
    process.kill()
    process.wait()
    code, said = machine.up()
    assert code == 0
    assert said[0] == "Waiting for another ci/up in this checkout, or for what is left of one."
    typed = machine.typed()
    assert typed[typed.index("built") :][1:3] == [
        "host.setup",
        "build-images --only base,docker",
    ]


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    heard = []
    for one in process.stdout or ():
        heard.append(one)
        if one.strip() == line:
            return
    raise AssertionError("".join(heard))


def test_a_key_whose_public_half_is_lacking_is_completed(machine: Machine) -> None:
    (machine.home / ".ssh" / "id_ed25519.pub").unlink()
    private = machine.home / ".ssh" / "id_ed25519_labstamp"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", private], check=True)
    public = private.with_suffix(".pub")
    words = public.read_text().split()[:2]
    public.unlink()
    machine.has(base=True, docker=True)
    assert machine.up()[0] == 0
    assert public.read_text().split()[:2] == words


@pytest.mark.parametrize(
    ("sudo", "advised"), [(True, "Next: sudo ci/up"), (False, "Next: su -c 'ci/up'")]
)
def test_who_may_not_is_told_how_it_works_here(
    machine: Machine, advised: str, *, sudo: bool
) -> None:
    write_program(machine.programs / "id", "echo 1000")
    for name in ("bash", "dirname", "readlink", "find"):
        (machine.programs / name).symlink_to(shutil.which(name) or "")
    if sudo:
        write_program(machine.programs / "sudo", "exit 1")
    ended = subprocess.run(
        ["bash", str(machine.root / "ci" / "up")],
        env={"PATH": str(machine.programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr.splitlines()) == (2, ["This needs root.", advised])
