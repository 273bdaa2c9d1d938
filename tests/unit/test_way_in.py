"""From where an instance is tried, by the kind of its network."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from images.checks.reach import FromHere, FromInstance, brought, run_argv, way_in, why_apart
from lab.lxd.model import Completed, InstanceSpec, Network
from tests.support.fake_lxd.lxd import FakeLxd

NETWORKS = (
    Network(name="lxdbr0", type="bridge", managed=True),
    Network(name="ovn1", type="ovn", managed=True),
    Network(name="lan", type="macvlan", managed=True),
    Network(name="eno1", type="physical", managed=False),
    Network(name="br0", type="bridge", managed=False),
)
APART = "with macvlan, this host cannot reach its containers"


@pytest.mark.parametrize(
    ("nic", "answer"),
    [
        ({"network": "lxdbr0"}, ("", True)),
        ({"nictype": "bridged", "parent": "br0"}, ("", True)),
        ({"nictype": "routed", "parent": "eno1"}, ("", True)),
        ({"nictype": "macvlan", "parent": "eno1"}, (APART, True)),
        ({"network": "lan"}, (APART, True)),
        ({"nictype": "ipvlan", "parent": "eno1"}, (APART.replace("macvlan", "ipvlan"), True)),
        ({"network": "ovn1"}, ("this host is not in the OVN network of the instance", True)),
        (
            {"nictype": "bridged", "parent": "br0", "vlan": "20"},
            ("the instance is in VLAN 20", True),
        ),
        (
            {"nictype": "physical", "parent": "eno1"},
            (
                "the instance has a physical network card, which this host cannot use meanwhile",
                False,
            ),
        ),
    ],
)
def test_the_kind_of_the_nic_decides(nic: Mapping[str, str], answer: tuple[str, bool]) -> None:
    devices = {"root": {"type": "disk", "path": "/"}, "eth0": {"type": "nic", **nic}}
    assert why_apart(devices, NETWORKS, local=True) == answer
    far = ("LXD is on another machine", answer[1])
    assert why_apart(devices, NETWORKS, local=False) == far


def _lxd(nic: Mapping[str, str]) -> FakeLxd:
    lxd = FakeLxd()
    image = lxd.import_image(Path(__file__), None, properties={})
    for name in ("check-1", "check-2"):
        devices = {"eth0": {"type": "nic", **nic}}
        lxd.create(InstanceSpec(name=name, image=image.fingerprint, devices=devices))
        lxd.start(name)
    return lxd


def test_a_second_instance_where_there_is_one(tmp_path: Path) -> None:
    apart = _lxd({"nictype": "macvlan", "parent": "eno1"})
    both, key = ("check-1", "check-2"), tmp_path / "key"
    way = way_in(apart, both, local=True, key=key)
    assert isinstance(way, FromInstance)
    assert (way.name, way.told) == ("check-2", f"tried from a second instance: {APART}")
    alone = way_in(apart, both[:1], local=True, key=key)
    assert isinstance(alone, FromInstance)
    assert (alone.name, alone.told) == ("check-1", f"tried from inside: {APART}")
    physical = way_in(_lxd({"nictype": "physical", "parent": "e"}), both, local=True, key=key)
    assert isinstance(physical, FromInstance)
    assert physical.name == "check-1"
    here = way_in(_lxd({"network": "lxdbr0"}), both, local=True, key=key)
    assert here == FromHere(key=key)
    assert here.told == ""


def test_what_is_brought_needs_nothing_but_python(tmp_path: Path) -> None:
    """Run as in an instance: by the system's Python, without what this one has installed."""
    for name, content in brought():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            guest, _ = door.accept()
            with guest:
                guest.sendall(b"hello\n")

        threading.Thread(target=serve, daemon=True).start()
        port = door.getsockname()[1]
        question = {"what": "read_banner", "ipv4": ["127.0.0.1"], "port": port, "wanted": "^hello$"}
        argv = run_argv(str(tmp_path))
        ended = subprocess.run(
            [sys.executable, "-I", "-S", *argv[1:]],
            input=json.dumps({**question, "timeout": 30}),
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.stderr == ""
    assert json.loads(ended.stdout) == {"exit_code": 0, "stdout": "hello\n", "stderr": ""}


def test_the_key_goes_with_the_question_and_what_comes_is_the_answer(tmp_path: Path) -> None:
    lxd = _lxd({"nictype": "macvlan", "parent": "eno1"})
    (tmp_path / "key").write_text("secret")
    asked = []

    def answer(name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        if argv[0] != "python3":
            return Completed(exit_code=0, stdout="", stderr="")
        asked.append((name, json.loads(stdin or b"")))
        said = {"exit_code": 255, "stdout": "", "stderr": "Connection refused"}
        return Completed(exit_code=0, stdout=json.dumps(said), stderr="")

    lxd.on_run = answer
    way = way_in(lxd, ("check-1", "check-2"), local=True, key=tmp_path / "key")
    assert way.ssh_login(("10.0.0.2",)).stderr == "Connection refused"
    place = "/run/labstamp/asking/key"
    assert asked == [("check-2", {"what": "ssh_login", "ipv4": ["10.0.0.2"], "key": place})]
    assert lxd.store.instances["default", "check-2"].files[place].mode == 0o600
    # Without Python in it nothing was tried, and nothing passes.
    lxd.on_run = lambda *_: Completed(exit_code=0, stdout="", stderr="")
    assert way.shake_hands(("10.0.0.2",), timeout=1).exit_code == 255
