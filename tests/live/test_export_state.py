"""An LXD of its own loses its database: everything of three people is found again in its pool.

Of a root of 2 MB, which is enough for owners, keys, devices and files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.lab import Lab, Said, lxc_ended
from tests.support.live_lab.own_lxd import directory, run_sandbox
from tests.support.tiny_root import make_tiny_root

pytestmark = pytest.mark.plain

BRIDGE = "ltstate0"
PEOPLE = {"lt-ann": 1_065_536, "lt-ben": 1_131_072, "lt-eve": 1_196_608}
FILES = """
mkdir -p /home/me/deep && cd /home/me
for i in $(seq 3000); do echo "$0 $i" >f$i; done
/bin/busybox chown -R 1000:1000 /home/me; /bin/busybox chown 0:5 f1; /bin/busybox chown 70:0 deep
chmod 600 f2; ln -s f1 newest
"""
NOTE = {
    "stage": "kept",
    "name": "lt-ann",
    "kept": "lt-ann-old",
    "next": "x",
    "builder": "x",
    "fresh": True,
    "asleep": False,
    "since": "",
    "config": {},
    "devices": {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A lab on an LXD that nobody else has."""

    lab: Lab
    place: Path

    def invoke(self, *arguments: str, code: int = 0) -> Said:
        said = self.lab.invoke(*arguments, LXD_DIR=str(self.place))
        assert said.code == code, f"invoke {' '.join(arguments)}: {said.out}{said.err}"
        return said

    def lxc(self, *arguments: str, stdin: str = "") -> str:
        environ = {**os.environ, "LXD_DIR": str(self.place)}
        ended = lxc_ended(*arguments, stdin=stdin, environ=environ)
        assert ended.returncode == 0, f"lxc {' '.join(arguments)}: {ended.stderr}"
        return ended.stdout

    def document(self, *arguments: str) -> Any:
        return self.invoke(*arguments, "--json").document

    def shown(self, name: str) -> dict[str, Any]:
        """Without what a root uses: btrfs counts anew which of it is shared."""
        document = dict(self.document("show", name))
        (document["kept_root"] or {}).pop("used_bytes", None)
        return document

    def instance(self, name: str) -> dict[str, Any]:
        """Without what LXD notes of a start and a stop, which it writes beside no root."""
        found = dict(json.loads(self.lxc("query", f"/1.0/instances/{name}")))
        del found["last_used_at"]
        for kind in ("config", "expanded_config"):
            found[kind] = {key: value for key, value in found[kind].items() if not _passing(key)}
        return found

    def config_of(self, volume: str) -> dict[str, str]:
        where = f"/1.0/storage-pools/default/volumes/custom/{volume}"
        return dict(json.loads(self.lxc("query", where))["config"])

    def files(self, volume: str) -> Mapping[str, tuple[object, ...]]:
        """Owners, modes and contents as the server sees them."""
        top = self.place / "storage-pools/default/custom" / f"default_{volume}"
        return {str(path.relative_to(top)): _seen(path) for path in (top, *top.rglob("*"))}


def _passing(key: str) -> bool:
    lasting = ("idmap", ".hwaddr", "instance-id", "base_image", "uuid")
    return key.startswith("volatile.") and not any(word in key for word in lasting)


def _seen(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    regular = stat.S_ISREG(found.st_mode)
    content = hashlib.sha256(path.read_bytes()).hexdigest() if regular else ""
    return (found.st_uid, found.st_gid, found.st_mode, content)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    files = tmp_path_factory.mktemp("state")
    settings = files / "lab.yaml"
    settings.write_text(json.dumps({"network": BRIDGE}))
    place = directory("state")
    place.mkdir(parents=True)
    run_sandbox(place, "start")
    own = Own(lab=Lab(settings=settings), place=place)
    try:
        own.invoke("host.setup", "--only-lxd")
        own.lxc("image", "import", *map(str, make_tiny_root(files)), "--alias", "tiny")
        for name, base in PEOPLE.items():
            _let_in(own, name, base)
        yield own
    finally:
        run_sandbox(place, "stop")
        shutil.rmtree(place, ignore_errors=True)


def _let_in(own: Own, name: str, base: int) -> None:
    """As `provision` leaves it, from an image without cloud-init."""
    marks = {"user.lab.owner": "me", "user.lab.phase": "ready"}
    home = f"home-{name}"
    whose = {"user.lab.container": name, "user.lab.project": "default"}
    kept = {**marks, **whose, "user.lab.ids": f"{base}:65536", "size": "300MiB"}
    own.lxc("storage", "volume", "create", "default", home, *(f"{k}={v}" for k, v in kept.items()))
    config = {
        **marks,
        "user.lab.template": "base",
        "user.lab.version": "20261121.1",
        "user.lab.request": '{"template":"base"}',
        "limits.memory": "128MiB",
        "security.idmap.isolated": "true",
        "security.idmap.base": str(base),
        "security.idmap.size": "65536",
    }
    options = [part for key, value in config.items() for part in ("-c", f"{key}={value}")]
    own.lxc("init", "tiny", name, *options)
    device = ("home", "disk", "pool=default", f"source={home}", "path=/home")
    own.lxc("config", "device", "add", name, *device)
    own.lxc("start", name)
    own.lxc("exec", name, "--", "sh", "-c", FILES, name)


def _lose_database(own: Own) -> None:
    run_sandbox(own.place, "stop")
    shutil.rmtree(own.place / "database")
    run_sandbox(own.place, "start")
    assert own.document("list") == {"containers": []}


def test_everything_is_found_again(own: Own, tmp_path: Path) -> None:
    own.lxc("storage", "volume", "create", "default", "data", "security.unmapped=true")
    share = ("data", "disk", "pool=default", "source=data", "path=/data")
    own.lxc("config", "device", "add", "lt-ann", *share)
    own.invoke("snapshot", "lt-ann", "good")
    own.lxc("config", "set", "lt-ann", "limits.cpu=1", "user.lab.kept-root=lt-ann-old")
    note = json.dumps(NOTE)
    for name in PEOPLE:
        own.lxc("stop", "--force", name)
    own.lxc("copy", "lt-ben", "lt-ann-old", "--instance-only")
    own.lxc("config", "set", "lt-ann-old", f"user.lab.upgrade={note}")
    own.lxc("config", "unset", "lt-ann-old", "user.lab.owner")
    own.lxc("config", "device", "remove", "lt-ann-old", "home")
    names = [*PEOPLE, "lt-ann-old"]
    seen = {
        "list": own.document("list"),
        "show": {name: own.shown(name) for name in PEOPLE},
        "lxd": {name: own.instance(name) for name in names},
        "volumes": {v: own.config_of(v) for v in ("data", *(f"home-{n}" for n in PEOPLE))},
    }
    files = {name: own.files(f"home-{name}") for name in PEOPLE}
    assert len(files["lt-ann"]) > 3000
    state = tmp_path / "lab.json"
    own.invoke("export-state", str(state))
    assert state.stat().st_mode & 0o777 == 0o600

    _lose_database(own)
    planned = own.invoke("import-state", str(state), "--plan").out
    assert f"make the network {BRIDGE}" in planned
    assert "have `lxd recover` find all that is in the pool default" in planned
    own.invoke("import-state", str(state), "--yes")
    again = own.invoke("import-state", str(state))
    assert "nothing to do" in again.out

    assert own.document("list") == seen["list"]
    assert {name: own.shown(name) for name in PEOPLE} == seen["show"]
    assert {name: own.instance(name) for name in names} == seen["lxd"]
    assert {v: own.config_of(v) for v in seen["volumes"]} == seen["volumes"]
    for name in PEOPLE:
        own.lxc("start", name)
    assert {name: own.files(f"home-{name}") for name in PEOPLE} == files
    for name in PEOPLE:
        own.lxc("stop", "--force", name)
    own.invoke("restore", "lt-ann", "good", "--home", "--yes")
    assert own.files("home-lt-ann") == files["lt-ann"]


def test_lxd_recover_by_hand_does_as_well_and_what_is_gone_is_told(
    own: Own, tmp_path: Path
) -> None:
    state = tmp_path / "lab.json"
    own.invoke("export-state", str(state))
    before = {name: own.files(f"home-{name}") for name in PEOPLE}
    homes = {name: own.config_of(f"home-{name}") for name in PEOPLE}
    own.lxc("delete", "lt-eve")
    _lose_database(own)
    told = json.loads(state.read_text())
    # What `lxd recover` asks for, and its answers, as a person would type them.
    network = [f"{key}={value}" for key, value in told["networks"][BRIDGE].items()]
    usual = [one for one in network if not one.startswith("volatile.")]
    own.lxc("network", "create", BRIDGE, *usual)
    source = told["pools"]["default"]["config"]["source"]
    typed = ("yes", "default", "btrfs", source, "", "no", "yes", "yes")
    subprocess.run(
        ["lxd", "recover"],
        input="\n".join((*typed, "")),
        env={**os.environ, "LXD_DIR": str(own.place)},
        text=True,
        check=True,
        timeout=120,
    )
    assert {one for one in own.config_of("home-lt-ann") if one.startswith("user.")} == set()
    said = own.invoke("import-state", str(state), "--yes")
    assert "lt-eve: the container is not there; its home is" in said.out
    assert {name: own.config_of(f"home-{name}") for name in PEOPLE} == homes
    own.lxc("start", "lt-ann")
    assert {name: own.files(f"home-{name}") for name in PEOPLE} == before
