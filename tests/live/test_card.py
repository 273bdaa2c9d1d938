"""A person follows their card; the admin looks into their container."""

from __future__ import annotations

import os
import pty
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.lab import INVOKE, ROOT, Lab
from tests.support.live_lab.people import small_container

pytestmark = pytest.mark.plain

NAME = "lt-card"


@pytest.fixture(scope="module")
def person(lab: Lab, key: Path) -> Iterator[dict[str, Any]]:
    with small_container(lab, NAME, key) as made:
        yield made


def test_the_lines_of_a_card_lead_in(
    lab: Lab, person: dict[str, Any], key: Path, tmp_path: Path
) -> None:
    """Also through a machine in front: here the container is its own."""
    address = person["ipv4"][0]
    # ssh takes the same machine for a loop where it is spelled the same.
    first, second, third, fourth = address.split(".")
    other = f"{NAME}@{first}.{second}.{int(third) * 256 + int(fourth)}"
    front = lab.also(tmp_path / "front.yaml", public=other, contact="Ann <b>Lee</b>")
    for one in (lab, front):
        text = one.succeed("card", NAME, "--lang", "zh").out
        found = re.search(rf"^    (Host {NAME}\n(?:        .*\n)+)", text, re.MULTILINE)
        assert found is not None, text
        usual = f"Host *\n IdentityFile {key}\n StrictHostKeyChecking no\n BatchMode yes\n"
        config = tmp_path / "config"
        config.write_text(f"{usual} UserKnownHostsFile /dev/null\n{found[1]}")
        ended = subprocess.run(
            ["ssh", "-F", config, NAME, "hostname"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ended.returncode, ended.stdout) == (0, f"{NAME}\n"), ended.stderr
    file = tmp_path / "card.html"
    assert "You alone can read it" in front.succeed("card", NAME, "--to", str(file)).out
    page = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Ann &lt;b&gt;Lee&lt;/b&gt;" in page
    assert address in page


def test_a_command_is_run_as_it_is(lab: Lab, person: dict[str, Any]) -> None:
    words = ("sh", "-c", 'cat; printf "%s|" "$@"; id -u; exit 7', "sh", "a  b", "$x", "--", "-y")
    said = lab.invoke("exec", NAME, "--", *words, stdin="typed\n")
    assert (said.code, said.out, said.err) == (7, "typed\na  b|$x|--|-y|0\n", "")
    missing = lab.invoke("exec", NAME, "--", "no-such-command")
    assert missing.code == 127
    for line in (("exec", NAME), ("exec", NAME, "--"), ("shell", NAME, "--as", "nobody-here")):
        assert lab.invoke(*line).code == 2
    assert "invoke exec lt-card -- df -h" in lab.invoke("exec", NAME).err


def test_a_shell_has_a_terminal_and_is_the_person_s(lab: Lab, person: dict[str, Any]) -> None:
    ours, theirs = pty.openpty()
    typing = (
        "stty -echo; echo $(id -un)-$(tty)-$TERM-$(shopt -q login_shell && echo login); exit 5\n"
    )
    os.write(ours, typing.encode())
    ended = subprocess.run(
        [INVOKE, "shell", NAME],
        cwd=ROOT,
        env=lab.environment({"TERM": "vt100"}),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:
        os.close(ours)  # a terminal whose last user is gone
    assert ended.returncode == 5, (ended.stderr, shown)
    assert re.search(rf"{NAME}-/dev/pts/\d+-vt100-login".encode(), shown), shown


def test_logs_of_a_running_and_of_a_stopped_one(lab: Lab, person: dict[str, Any]) -> None:
    running = lab.succeed("logs", NAME, "--lines", "400").out
    assert running.startswith(f"{NAME}: Running\n")
    lab.succeed("stop", NAME)
    stopped = lab.succeed("logs", NAME, "--lines", "400").out
    assert stopped.startswith(f"{NAME}: Stopped\n")
    for text in (running, stopped):
        titles = re.findall(r"^== (.+)$", text, re.MULTILINE)
        assert titles[1:] == ["console", "/var/log/cloud-init-output.log", "journal"]
        assert "Cloud-init v." in text
        assert "\x1b" not in text
    for line in (("exec", NAME, "--", "true"), ("shell", NAME), ("card", NAME)):
        said = lab.invoke(*line)
        assert (said.code, f"invoke start {NAME}" in said.err) == (2, True), said.err
