"""What every LXD behind the port does: snapshots of an instance."""

from __future__ import annotations

import pytest

from lab.errors import Conflict, LxdError, NotFound
from lab.lxd.model import InstanceSpec, State
from tests.contract.conftest import Backend


def test_a_snapshot_brings_back_files_config_and_devices(backend: Backend, made: str) -> None:
    lxd = backend.lxd
    device = {"type": "disk", "path": "/mnt", "source": "/tmp"}
    lxd.update(made, config={"user.a": "1"}, devices={"tmp": device})
    lxd.write_file(made, "/etc/mark", b"before")
    lxd.create_snapshot(made, "one")
    lxd.update(made, config={"user.a": "2", "user.b": "3"}, devices={"tmp": None})
    lxd.write_file(made, "/etc/mark", b"after")
    lxd.write_file(made, "/etc/new", b"")
    lxd.create_snapshot(made, "two")
    assert lxd.snapshots(made) == ("one", "two")

    lxd.restore_snapshot(made, "one")
    instance = lxd.instance(made)
    assert instance is not None
    assert instance.config["user.a"] == "1"
    assert "user.b" not in instance.config
    assert instance.devices == {"tmp": device}
    assert lxd.read_file(made, "/etc/mark") == b"before"
    with pytest.raises(NotFound):
        lxd.read_file(made, "/etc/new")
    assert lxd.snapshots(made) == ("one", "two")


def test_what_runs_is_running_again_after_a_restore(backend: Backend, made: str) -> None:
    backend.lxd.start(made)
    backend.lxd.create_snapshot(made, "one")
    backend.lxd.write_file(made, "/etc/mark", b"after")
    backend.lxd.restore_snapshot(made, "one")
    assert backend.lxd.state(made).state is State.RUNNING
    with pytest.raises(NotFound):
        backend.lxd.read_file(made, "/etc/mark")


def test_a_snapshots_name_can_be_taken_missing_or_impossible(backend: Backend, made: str) -> None:
    backend.lxd.create_snapshot(made, "one")
    with pytest.raises(Conflict) as caught:
        backend.lxd.create_snapshot(made, "one")
    assert caught.value.brief == f"LXD could not take the snapshot one of {made}."
    with pytest.raises(NotFound) as missing:
        backend.lxd.restore_snapshot(made, "two")
    assert missing.value.brief == f"LXD could not restore {made} from its snapshot two."
    with pytest.raises(LxdError):
        backend.lxd.create_snapshot(made, "a/b")
    assert backend.lxd.snapshots(made) == ("one",)


def test_delete_minds_no_missing_snapshot(backend: Backend, made: str) -> None:
    backend.lxd.create_snapshot(made, "one")
    backend.lxd.delete_snapshot(made, "one")
    backend.lxd.delete_snapshot(made, "one")
    assert backend.lxd.snapshots(made) == ()
    backend.lxd.delete_snapshot(backend.unused(), "one")


def test_snapshots_of_a_volume_do_not_bring_back_its_config(
    backend: Backend, made: str, volume: str
) -> None:
    lxd, pool = backend.lxd, backend.pool
    lxd.create_volume(pool, volume, {"user.a": "1"})
    assert lxd.volume_snapshots(pool, volume) == ()
    lxd.create_volume_snapshot(pool, volume, "one")
    with pytest.raises(Conflict):
        lxd.create_volume_snapshot(pool, volume, "one")
    lxd.create_volume_snapshot(pool, volume, "two")
    assert lxd.volume_snapshots(pool, volume) == ("one", "two")
    lxd.update_volume(pool, volume, {"user.a": "2"})
    home = {"type": "disk", "path": "/mnt", "pool": pool, "source": volume}
    lxd.update(made, devices={"home": home})
    lxd.start(made)
    with pytest.raises(LxdError) as caught:
        lxd.restore_volume(pool, volume, "one")
    assert caught.value.brief == (
        f"LXD could not restore the volume {volume} in {pool} from its snapshot one."
    )
    lxd.stop(made, force=True)
    lxd.restore_volume(pool, volume, "one")
    (found,) = (one for one in lxd.volumes(pool) if one.name == volume)
    assert found.config["user.a"] == "2"
    lxd.delete(made)
    lxd.delete_volume_snapshot(pool, volume, "one")
    lxd.delete_volume_snapshot(pool, volume, "one")
    assert lxd.volume_snapshots(pool, volume) == ("two",)
    lxd.delete_volume_snapshot(pool, backend.unused(), "one")
    assert lxd.volume_snapshots(pool, backend.unused()) == ()


def test_files_of_a_volume_are_its_own(backend: Backend, made: str, volume: str) -> None:
    """They go with no instance and with no snapshot of one, and are not seen while none runs."""
    lxd, pool = backend.lxd, backend.pool
    home = {"type": "disk", "path": "/srv/home", "pool": pool, "source": volume}
    lxd.create_volume(pool, volume, {})
    lxd.update(made, devices={"home": home})
    lxd.start(made)
    lxd.write_file(made, "/srv/home/sub/thesis", b"begun")
    lxd.create_snapshot(made, "one")
    lxd.create_volume_snapshot(pool, volume, "one")
    lxd.write_file(made, "/srv/home/sub/thesis", b"years")
    lxd.stop(made, force=True)
    lxd.restore_snapshot(made, "one")
    with pytest.raises(NotFound):
        lxd.read_file(made, "/srv/home/sub/thesis")
    lxd.delete(made)

    spec = InstanceSpec(name=made, image=backend.image.fingerprint, devices={"home": home})
    lxd.create(spec)
    lxd.start(made)
    assert lxd.list_directory(made, "/srv/home") == ("sub",)
    assert lxd.read_file(made, "/srv/home/sub/thesis") == b"years"
    lxd.stop(made, force=True)
    lxd.restore_volume(pool, volume, "one")
    lxd.start(made)
    assert lxd.read_file(made, "/srv/home/sub/thesis") == b"begun"
    # The volume can be deleted when nothing has it.
    lxd.delete(made)


def test_a_snapshot_tells_the_config_of_its_time(backend: Backend, made: str, volume: str) -> None:
    lxd, pool = backend.lxd, backend.pool
    lxd.update(made, config={"user.a": "1"})
    lxd.create_snapshot(made, "one")
    lxd.update(made, config={"user.a": "2"})
    lxd.create_volume(pool, volume, {"user.a": "1"})
    lxd.create_volume_snapshot(pool, volume, "one")
    lxd.update_volume(pool, volume, {"user.a": "2"})
    (root,) = lxd.snapshots_in_full(made)
    (home,) = lxd.volume_snapshots_in_full(pool, volume)
    assert (root.name, root.config["user.a"]) == ("one", "1")
    assert (home.name, home.config["user.a"]) == ("one", "1")
    assert root.created_at is not None
    assert lxd.volume_snapshots_in_full(pool, backend.unused()) == ()
    assert lxd.volume_snapshot_used(pool, volume, "two") is None
    # With its snapshots a volume is deleted, too.
    lxd.delete_volume(pool, volume)
    assert lxd.volume_snapshots(pool, volume) == ()


def test_config_devices_profiles_and_description_are_put_back_in_one_change(
    backend: Backend, made: str
) -> None:
    lxd = backend.lxd
    device = {"type": "disk", "path": "/mnt", "source": "/tmp"}
    lxd.update(made, config={"user.a": "old"}, devices={"tmp": device})
    lxd.create_snapshot(made, "one")
    now = lxd.update(made, config={"user.a": "new"}, devices={"tmp": None}, description="today's")
    assert now.description == "today's"
    lxd.restore_snapshot(made, "one")
    back = lxd.update(
        made,
        config={"user.a": "new"},
        devices={"tmp": None},
        profiles=now.profiles,
        description=now.description,
    )
    assert (back.config["user.a"], back.devices) == ("new", {})
    assert (back.profiles, back.description) == (now.profiles, "today's")


def test_other_user_data_is_another_instance_for_cloud_init(backend: Backend, made: str) -> None:
    """And the key can be written, so that it is the one that the root was booted with."""
    lxd, key = backend.lxd, "volatile.cloud-init.instance-id"
    name = lxd.server().user_data_key
    first = lxd.update(made, config={name: "#cloud-config\n{}"}).config[key]
    lxd.create_snapshot(made, "one")
    assert lxd.update(made, config={"user.a": "1"}).config[key] == first
    assert lxd.update(made, config={name: "#cloud-config\n{a: 1}"}).config[key] != first
    lxd.restore_snapshot(made, "one")
    (kept,) = lxd.snapshots_in_full(made)
    assert kept.config[key] == first
    assert lxd.update(made, config={key: first}).config[key] == first


def test_a_copy_of_a_volumes_snapshot_has_its_files_and_a_config_of_its_own(
    backend: Backend, made: str, volume: str
) -> None:
    lxd, pool, copy = backend.lxd, backend.pool, backend.unused()
    lxd.create_volume(pool, volume, {"user.a": "1"})
    device = {"type": "disk", "pool": pool, "source": volume, "path": "/mnt"}
    lxd.update(made, devices={"home": device})
    lxd.start(made)
    lxd.write_file(made, "/mnt/thesis", b"begun")
    lxd.create_volume_snapshot(pool, volume, "one")
    lxd.write_file(made, "/mnt/thesis", b"years")
    (kept,) = lxd.volume_snapshots_in_full(pool, volume)
    owners = {key: value for key, value in kept.config.items() if key.startswith("volatile.")}
    try:
        lxd.copy_volume_snapshot(pool, volume, "one", copy, {"user.b": "2", **owners})
        with pytest.raises(Conflict):
            lxd.copy_volume_snapshot(pool, volume, "one", copy, {})
        (found,) = (one for one in lxd.volumes(pool) if one.name == copy)
        assert (found.config.get("user.a"), found.config["user.b"]) == (None, "2")
        # Also while it runs.
        beside = {"type": "disk", "pool": pool, "source": copy, "path": "/srv/copy"}
        lxd.update(made, devices={"copy": {**beside, "readonly": "true"}})
        assert lxd.read_file(made, "/srv/copy/thesis") == b"begun"
        assert lxd.read_file(made, "/mnt/thesis") == b"years"
        lxd.update(made, devices={"copy": None})
    finally:
        lxd.stop(made, force=True)
        lxd.update(made, devices={"copy": None})
        lxd.delete_volume(pool, copy)
        lxd.delete(made)
