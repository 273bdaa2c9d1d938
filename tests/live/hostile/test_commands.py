"""While root of one container does all of it, an admin runs every command of the manual."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.live.hostile.five import MALLORY, OTHERS, Five, attack
from tests.support.live_lab.lab import Lab, Said, lxc, ssh

PATIENCE = 120
"""Seconds after which a command has hung; most of it is what this machine takes."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

LOOKING = [
    ("list",),
    ("list", "--json"),
    ("show", MALLORY),
    ("show", MALLORY, "--json"),
    ("show", OTHERS[0]),
    ("drivers",),
    ("drivers", "--json"),
    ("sync-drivers", "--plan"),
    ("host.check",),
    ("host.check", "--json"),
    ("host.gpus",),
    ("images",),
    ("prune-images", "--plan"),
    ("provision", MALLORY, "--gpus", "none", "--plan"),
    ("provision", "lh-eve", "--plan", "--gpus", "none", "--password"),
    ("provision", OTHERS[1], "--gpus", "none"),
]


@pytest.fixture(scope="module", autouse=True)
def mallory(five: Five) -> None:
    attack(five)


def _run(lab: Lab, *arguments: str) -> Said:
    """To its end, or a failure after PATIENCE."""
    return lab.invoke(*arguments, timeout=PATIENCE)


def _written() -> int:
    """Bytes of what the daemon keeps of commands and files, outside of its pools."""
    place = Path(os.environ["LXD_DIR"])
    found = (path for part in ("logs", "devlxd", "shmounts") for path in (place / part).rglob("*"))
    return sum(path.lstat().st_size for path in found if not path.is_dir())


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_it_ends_tells_the_truth_and_paints_nothing(five: Five, command: tuple[str, ...]) -> None:
    before = _written()
    said = _run(five.lab, *command)
    assert said.code in {0, 3}, said.err
    assert "Traceback" not in said.err
    assert _UNPRINTABLE.findall(said.out + said.err) == []
    assert five.others() == five.before
    assert _written() - before < 20 << 20


def test_what_cannot_be_looked_at_is_said(five: Five) -> None:
    said = _run(five.lab, "drivers", "--json").document["containers"]
    troubles = {one["name"]: one["trouble"] for one in said}
    assert "is not a directory" in troubles[MALLORY]
    assert {troubles[name] for name in OTHERS} == {None}
    shown = _run(five.lab, "show", MALLORY, "--json").document
    assert shown["own_keys"] is None


def test_the_others_work_on_meanwhile(five: Five, key: Path) -> None:
    for name in OTHERS:
        said = ssh(five.addresses[name], name, key, ["echo", "$USER", "&&", "ip", "route"])
        assert said.out.split()[0] == name, said.err
        # Nobody listened to a router that is none.
        assert "2001:db8" not in ssh(five.addresses[name], name, key, ["ip", "-6", "addr"]).out


def test_it_is_stopped_and_destroyed_like_any_other(five: Five) -> None:
    assert _run(five.lab, "stop", MALLORY).code == 0
    started = _run(five.lab, "start", MALLORY)
    assert _UNPRINTABLE.findall(started.err) == []
    assert _run(five.lab, "destroy", MALLORY, "--yes", "--purge").code == 0
    assert MALLORY not in lxc("list", "-c", "n", "-f", "csv").split()
    assert five.others() == five.before
