"""A server's default profile: what a container has of it, and what it says against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from commands.views.containers import of_container
from images.placement import places
from lab.errors import InputError
from lab.lxd.model import Profile
from lab.settings.settings import Settings
from tests.support.builders.stamping import a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

HERE = ("default", "bob")


def _with(config: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]) -> FakeLxd:
    lxd = a_lab()
    old = lxd.store.profiles["default"]
    lxd.store.profiles["default"] = replace(
        old, config={**old.config, **config}, devices={**old.devices, **devices}
    )
    return lxd


NAS = {"nas": {"type": "disk", "source": "/srv/nas", "path": "/mnt/nas"}}


def test_its_devices_are_kept_and_shown() -> None:
    lxd = _with({"boot.autostart": "true"}, NAS)
    done = stamp(lxd, bob())
    assert done.summary is not None
    assert done.summary["profile"] == {
        "config": {"boot.autostart": "true"},
        "devices": {"nas": NAS["nas"]},
    }
    lines = [text for label, text in of_container(done.summary)[1] if label == "of the profile"]
    assert lines == ["boot.autostart: true", "disk nas: /srv/nas at /mnt/nas"]


@pytest.mark.parametrize("value", ["true", "1", "yes", "TRUE"])
def test_what_it_may_do_is_said_outright(value: str) -> None:
    lxd = _with({"security.privileged": value, "nvidia.runtime": value}, {})
    stamp(lxd, bob())
    config = lxd.store.instances[HERE].config
    assert config["security.privileged"] == "false"
    assert config["nvidia.runtime"] == "false"
    assert stamp(lxd, bob()).actions == ()


def test_a_daemon_that_knows_no_such_key_is_not_told_of_it() -> None:
    lxd = _with({}, {})
    stamp(lxd, bob())
    assert "nvidia.runtime" not in lxd.store.instances[HERE].config


def test_raw_keys_are_refused_by_name_before_anything_is_made() -> None:
    lxd = _with({"raw.idmap": "both 1000 1000", "raw.lxc": "lxc.cap.drop ="}, {})
    with pytest.raises(InputError) as error:
        stamp(lxd, bob())
    assert str(error.value) == (
        "The default profile sets raw.idmap, raw.lxc, and each container would get it.\n"
        "  raw keys bypass LXD's checks.\n"
        "  raw.idmap: both 1000 1000\n"
        "  raw.lxc: lxc.cap.drop =\n"
        "Next: Remove it, or move it to a profile of the containers that need it:\n"
        "      lxc profile unset default raw.idmap\n"
        "      lxc profile unset default raw.lxc"
    )
    assert lxd.changes == []


def test_without_a_pool_it_is_refused_as_a_build_is() -> None:
    lxd = a_lab()
    before = dict(lxd.store.instances)
    lxd.store.pools["fast"] = replace(lxd.store.pools["default"], name="fast")
    lxd.store.profiles["default"] = Profile(name="default")
    with pytest.raises(InputError, match="No storage pool is set"):
        stamp(lxd, bob())
    with pytest.raises(InputError, match="No storage pool is set"):
        places(Settings(), lxd.profile("default"), lxd.networks(), lxd.pools())
    assert lxd.store.instances == before
