"""What every LXD behind the port does: volumes get other names, and are copied."""

from __future__ import annotations

import pytest

from lab.errors import Conflict, LxdError, NotFound
from tests.contract.conftest import Backend


def test_a_volume_is_renamed_in_the_devices_too(backend: Backend, made: str, volume: str) -> None:
    lxd, pool, new, other = backend.lxd, backend.pool, backend.unused(), backend.unused()
    home = {"type": "disk", "pool": pool, "source": volume, "path": "/home"}
    for name in (volume, other):
        lxd.create_volume(pool, name, {"user.a": "1"})
    try:
        lxd.create_volume_snapshot(pool, volume, "one")
        lxd.update(made, devices={"home": home})
        with pytest.raises(Conflict):
            lxd.rename_volume(pool, volume, other)
        lxd.start(made)
        with pytest.raises(LxdError):
            lxd.rename_volume(pool, volume, new)
        lxd.stop(made, force=True)
        instance = lxd.instance(made)
        assert instance is not None
        assert instance.devices["home"] == home
        lxd.rename_volume(pool, volume, new)
        instance = lxd.instance(made)
        assert instance is not None
        assert instance.devices["home"] == {**home, "source": new}
        found = {one.name: one for one in lxd.volumes(pool)}
        assert volume not in found
        assert found[new].config["user.a"] == "1"
        assert found[new].used_by == (made,)
        assert lxd.volume_snapshots(pool, new) == ("one",)
        lxd.start(made)
        lxd.stop(made, force=True)
    finally:
        lxd.update(made, devices={"home": None})
        for name in (new, other):
            lxd.delete_volume(pool, name)
    with pytest.raises(NotFound):
        lxd.rename_volume(pool, volume, new)


def test_a_volume_is_copied_with_a_config_of_its_own(
    backend: Backend, made: str, volume: str
) -> None:
    lxd, pool, copy = backend.lxd, backend.pool, backend.unused()
    home = {"type": "disk", "pool": pool, "source": volume, "path": "/home"}
    lxd.create_volume(pool, volume, {"user.a": "1"})
    lxd.update(made, devices={"home": home})
    lxd.start(made)
    lxd.write_file(made, "/home/mark", b"copied")
    noted = next(one for one in lxd.volumes(pool) if one.name == volume).config
    idmap = {key: noted[key] for key in noted if key.startswith("volatile.idmap.")}
    try:
        # While it is in use.
        lxd.copy_volume((pool, volume), pool, copy, {"user.b": "2", **idmap})
        with pytest.raises(Conflict):
            lxd.copy_volume((pool, volume), pool, copy, {})
        lxd.stop(made, force=True)
        config = next(one for one in lxd.volumes(pool) if one.name == copy).config
        assert {key: config[key] for key in config if key.startswith("user.")} == {"user.b": "2"}
        assert {key: config.get(key) for key in idmap} == idmap
        lxd.update(made, devices={"home": {**home, "source": copy}})
        lxd.start(made)
        assert lxd.read_file(made, "/home/mark") == b"copied"
        lxd.stop(made, force=True)
    finally:
        lxd.stop(made, force=True)
        lxd.update(made, devices={"home": None})
        lxd.delete_volume(pool, copy)
    with pytest.raises(LxdError):
        lxd.copy_volume((pool, backend.unused()), pool, copy, {})
