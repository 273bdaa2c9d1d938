"""LXD takes all that the list of `lab.allowed` lets templates ask for, and starts with it."""

from __future__ import annotations

from lab.allowed import CHARACTER_DEVICES, KEYS, objections
from lab.lxd.model import InstanceSpec, State
from lab.release import Needs
from tests.contract.conftest import Backend

_BELOW = {"linux.sysctl.net.*": "linux.sysctl.net.ipv4.ip_forward", "user.*": "user.note"}


def test_an_instance_starts_with_all_that_is_on_the_list(backend: Backend, name: str) -> None:
    config = {_BELOW.get(key, key): value.example for key, value in KEYS.items()}
    devices = {
        source.rpartition("/")[2]: {"type": "unix-char", "source": source, "mode": "0660"}
        for source in CHARACTER_DEVICES
    }
    assert objections(Needs(config=config, devices=devices)) == ()
    made = backend.lxd.create(
        InstanceSpec(name=name, image=backend.image.fingerprint, config=config, devices=devices)
    )
    # Where the daemon may not raise limits, the gateway leaves these out.
    given = {key: value for key, value in config.items() if not key.startswith("limits.kernel.")}
    assert {key: made.config.get(key) for key in given} == given
    backend.lxd.start(name)
    assert backend.lxd.state(name).state is State.RUNNING
