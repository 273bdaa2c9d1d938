"""Three people as a file: made side by side, changed in place, left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import make_key
from tests.support.live_lab.gpu_containers import destroy, exists
from tests.support.live_lab.lab import Lab, lxc, query, ssh

pytestmark = pytest.mark.plain

NAMES = ("lt-one", "lt-two", "lt-three")
FILE = """\
sizes:
  small: {{cpus: 1, memory: 512MiB, disk: 3GiB, home: 200MiB}}
groups:
  students: {{template: base, size: small, gpus: none, shares: []}}
containers:
  lt-one: {{group: students, people: {{one: {{keys: "{key}"}}}}}}
  lt-two: {{group: students, people: {{two: {{keys: "{key}"}}}}}}
  lt-three: {{group: students, people: {{three: {{keys: "{key}"}}}}}}
"""


@pytest.fixture
def file(lab: Lab, key: Path, tmp_path: Path) -> Iterator[Path]:
    destroy(lab, NAMES)
    path = tmp_path / "containers.yaml"
    path.write_text(FILE.format(key=f"{key}.pub"))
    yield path
    destroy(lab, NAMES)


def boots() -> list[str]:
    return [lxc("exec", name, "--", "cat", "/proc/1/stat").split()[21] for name in NAMES]


def lets_in(name: str, account: str, key: Path) -> bool:
    (address,) = (
        one["address"]
        for one in query(f"/1.0/instances/{name}/state")["network"]["eth0"]["addresses"]
        if one["family"] == "inet"
    )
    return ssh(address, account, key, ["true"]).code == 0


def test_three_people(lab: Lab, file: Path, key: Path, tmp_path: Path) -> None:
    # Of other tests' containers nothing is said.
    only = ("--only", ",".join(NAMES))

    def run(*options: str) -> list[str]:
        return lab.succeed("apply", str(file), *only, *options).out.splitlines()

    run("--yes")
    assert run("--plan") == ["3 containers: 3 as the file says; nothing to do."]
    before = boots()
    # Three lines are three changes, in place.
    other = make_key(tmp_path / "other")
    text = file.read_text()
    lines = text.splitlines(keepends=True)
    lines[5] = lines[5].replace("{group", "{reason: more, memory: 1GiB, group")
    lines[6] = lines[6].replace("{group", "{until: 2099-01-31, group")
    lines[7] = lines[7].replace(f"{key}.pub", f"{other}.pub")
    file.write_text("".join(lines))
    said = run("--plan")
    assert said[-1] == "3 containers: 3 to change (3 changes), 0 as the file says."
    assert [line[0] for line in said[:-2]] == ["~"] * 4
    assert lets_in("lt-three", "three", key)
    run("--yes")
    assert boots() == before
    assert (lets_in("lt-three", "three", key), lets_in("lt-three", "three", other)) == (False, True)
    assert query("/1.0/instances/lt-one")["config"]["limits.memory"] == "1GiB"
    assert query("/1.0/instances/lt-two")["config"]["user.lab.until"] == "2099-01-31"
    assert run("--yes") == ["3 containers: 3 as the file says; nothing to do."]
    # A line that is removed removes nothing unasked.
    file.write_text("".join(lines[:7]))
    assert "not in the file, and stays" in run("--yes")[0]
    assert exists("lt-three")
    run("--yes", "--prune")
    assert not exists("lt-three")
    written = tmp_path / "exported.yaml"
    lab.succeed("export-lab", str(written))
    two = ("--only", "lt-one,lt-two")
    said = lab.succeed("apply", str(written), "--plan", *two).out.splitlines()
    assert said == ["2 containers: 2 as the file says; nothing to do."]
