"""What every LXD behind the port does: instances, their changes and their life."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.errors import Conflict, LxdError, NotFound
from lab.lxd.idmap import ON_VOLUME, read_map
from lab.lxd.model import InstanceSpec, Profile, State
from tests.contract.conftest import SHARED, Backend

_CLOUD_ID = "volatile.cloud-init.instance-id"


def test_the_server_introduces_itself(backend: Backend) -> None:
    server = backend.lxd.server()
    assert server.version
    assert server.name
    assert backend.lxd.now().tzinfo is not None
    assert backend.lxd.now() <= backend.again().now()
    assert server.has("projects")
    assert not server.has("time_travel")
    assert backend.lxd.project in backend.lxd.projects()
    assert any(pool.name == backend.pool and pool.driver for pool in backend.lxd.pools())
    assert any(network.managed for network in backend.lxd.networks())


def test_a_project_can_be_made_once_and_removed(backend: Backend) -> None:
    project = backend.unused()
    backend.outside.create_project(project, SHARED)
    try:
        with pytest.raises(Conflict):
            backend.outside.create_project(project, SHARED)
        assert backend.outside.projects()[project]["features.images"] == "false"
    finally:
        backend.outside.delete_project(project)
    assert project not in backend.outside.projects()
    with pytest.raises(NotFound):
        backend.outside.delete_project(project)


def test_pools_and_networks_that_exist_are_conflicts(backend: Backend) -> None:
    with pytest.raises(Conflict):
        backend.outside.create_pool(backend.pool, "dir", {})
    managed = next(one.name for one in backend.outside.networks() if one.managed)
    with pytest.raises(Conflict):
        backend.outside.create_network(managed, {})


def test_a_profile_that_is_missing_is_none(backend: Backend) -> None:
    assert backend.lxd.profile(backend.unused()) is None
    profile = backend.lxd.profile("default")
    assert profile is not None
    assert any(device.get("path") == "/" for device in profile.devices.values())
    with pytest.raises(NotFound):
        backend.lxd.set_profile_devices(backend.unused(), {})


def test_a_profiles_devices_are_replaced(backend: Backend) -> None:
    # In a project with profiles of its own: LXD updates every instance that uses a changed one.
    project = backend.unused()
    backend.outside.create_project(project, {**SHARED, "features.profiles": "true"})
    lxd = backend.outside.in_project(project)
    try:
        before = lxd.profile("default")
        assert before is not None
        root = {"root": {"type": "disk", "path": "/", "pool": backend.pool}}
        lxd.set_profile_devices("default", root)
        changed = lxd.profile("default")
        assert changed is not None
        assert changed.devices == root
        lxd.set_profile_devices("default", before.devices)
        assert lxd.profile("default") == before
    finally:
        backend.outside.delete_project(project)


def test_a_profile_is_made_or_changed_as_a_whole(backend: Backend) -> None:
    project = backend.unused()
    backend.outside.create_project(project, {**SHARED, "features.profiles": "true"})
    lxd = backend.outside.in_project(project)
    name = backend.unused()
    root = {"root": {"type": "disk", "path": "/", "pool": "of-a-pool-that-is-lost"}}
    try:
        lxd.set_profile(name, {"limits.cpu": "2"}, root)
        assert lxd.profile(name) == Profile(name=name, config={"limits.cpu": "2"}, devices=root)
        lxd.set_profile(name, {"limits.memory": "1GiB"}, {})
        assert lxd.profile(name) == Profile(name=name, config={"limits.memory": "1GiB"})
    finally:
        backend.discard("profiles", name, project)
        backend.outside.delete_project(project)


def test_a_pool_tells_how_it_was_made(backend: Backend) -> None:
    (pool,) = (one for one in backend.outside.pools() if one.name == backend.pool)
    assert pool.config.get("source")


def test_an_acl_is_listed_with_its_rules(backend: Backend) -> None:
    if not backend.outside.server().has("network_acl"):
        assert backend.outside.network_acls() == {}
        return
    name = backend.unused()
    rule = {"action": "allow", "source": "10.9.8.1/32", "state": "enabled"}
    backend.outside.set_network_acl(name, [rule])
    try:
        assert [dict(one) for one in backend.outside.network_acls()[name]] == [rule]
    finally:
        backend.discard("network-acls", name, "default")


def test_when_its_config_was_written_and_whose_a_volume_is(
    backend: Backend, made: str, volume: str
) -> None:
    lxd, pool = backend.lxd, backend.pool
    first = lxd.config_written(made)
    assert first is not None
    lxd.create_volume(pool, volume, {})
    assert lxd.volume_owner(pool, volume) == 0
    home = {"type": "disk", "pool": pool, "source": volume, "path": "/home"}
    lxd.update(made, devices={"home": home})
    lxd.start(made)
    lxd.stop(made, force=True)
    config = next(one for one in lxd.volumes(pool) if one.name == volume).config
    given = read_map(config[ON_VOLUME])
    assert given is not None
    assert lxd.volume_owner(pool, volume) == given.base
    later = lxd.config_written(made)
    assert later is not None
    assert later >= first
    lxd.update(made, devices={"home": None})
    assert lxd.config_written(backend.unused()) is None
    assert lxd.volume_owner(pool, backend.unused()) is None


def test_an_instance_is_made_stopped_with_all_that_was_asked(backend: Backend, name: str) -> None:
    spec = InstanceSpec(
        name=name,
        image=backend.image.fingerprint,
        config={"user.lab.owner": "bob", "limits.memory": "64MiB"},
        devices={"tmp": {"type": "disk", "path": "/mnt", "source": "/tmp"}},
    )
    instance = backend.lxd.create(spec)
    assert instance.name == name
    assert instance.project == backend.lxd.project
    assert instance.state is State.STOPPED
    assert instance.config["user.lab.owner"] == "bob"
    assert instance.devices == spec.devices
    assert {"root", "eth0", "tmp"} <= set(instance.expanded_devices)
    assert instance.profiles == ("default",)
    assert instance.image == backend.image.fingerprint
    assert instance.config["volatile.eth0.hwaddr"]
    assert backend.lxd.instance(name) == instance
    assert name in [one.name for one in backend.lxd.instances()]


def test_a_name_that_is_taken_is_a_conflict(backend: Backend, made: str) -> None:
    with pytest.raises(Conflict) as caught:
        backend.lxd.create(InstanceSpec(name=made, image=backend.image.fingerprint))
    assert caught.value.brief == f"LXD could not create {made}."


def test_nothing_comes_of_an_image_or_a_source_that_is_missing(backend: Backend) -> None:
    name, missing = backend.unused(), "0" * 64
    with pytest.raises(NotFound) as caught:
        backend.lxd.create(InstanceSpec(name=name, image=missing))
    assert str(caught.value) == (
        f"LXD could not create {name}.\n  There is no image {missing}.\n"
        "Next: Run the same command again."
    )
    with pytest.raises(NotFound):
        backend.lxd.create(InstanceSpec(name=name, copy_of=backend.unused()))
    assert backend.lxd.instance(name) is None


def test_an_impossible_name_and_a_missing_root_are_refused(backend: Backend) -> None:
    fingerprint = backend.image.fingerprint
    with pytest.raises(LxdError):
        backend.lxd.create(InstanceSpec(name="b@d", image=fingerprint))
    with pytest.raises(LxdError):
        backend.lxd.create(InstanceSpec(name=backend.unused(), image=fingerprint, profiles=()))


def test_what_is_not_there_is_not_found(backend: Backend) -> None:
    lxd, name = backend.lxd, backend.unused()
    assert lxd.instance(name) is None
    for use in (
        lambda: lxd.update(name, config={"user.a": "b"}),
        lambda: lxd.start(name),
        lambda: lxd.stop(name),
        lambda: lxd.rename(name, backend.unused()),
        lambda: lxd.state(name),
        lambda: lxd.snapshots(name),
        lambda: lxd.create_snapshot(name, "one"),
        lambda: lxd.restore_snapshot(name, "one"),
        lambda: lxd.list_directory(name, "/etc"),
        lambda: lxd.run(name, ["true"]),
        lambda: lxd.read_file(name, "/etc/passwd"),
        lambda: lxd.write_file(name, "/etc/x", b""),
        lambda: lxd.delete_file(name, "/etc/x"),
    ):
        with pytest.raises(NotFound):
            use()
    lxd.delete(name)


def test_a_copy_takes_config_and_files_but_no_identity(
    backend: Backend, made: str, name: str
) -> None:
    backend.lxd.update(made, config={"user.lab.template": "base", "user.a": "1"})
    backend.lxd.write_file(made, "/etc/mark", b"copied")
    source = backend.lxd.instance(made)
    copy = backend.unused()
    try:
        spec = InstanceSpec(name=copy, copy_of=made, config={"user.a": "2"})
        clone = backend.lxd.create(spec)
        assert source is not None
        assert clone.state is State.STOPPED
        assert clone.config["user.lab.template"] == "base"
        assert clone.config["user.a"] == "2"
        assert clone.image == backend.image.fingerprint
        assert clone.profiles == ("default",)
        for key in ("volatile.uuid", "volatile.eth0.hwaddr"):
            assert clone.config[key] != source.config[key]
        assert backend.lxd.read_file(copy, "/etc/mark") == b"copied"
        with pytest.raises(Conflict):
            backend.lxd.create(spec)
    finally:
        backend.lxd.delete(copy)


def test_a_copy_can_leave_out_keys_and_devices(backend: Backend, made: str) -> None:
    lxd = backend.lxd
    one = {"type": "disk", "path": "/one", "source": "/tmp"}
    two = {**one, "path": "/two"}
    lxd.update(
        made,
        config={"user.a": "1", "limits.memory": "64MiB"},
        devices={"one": one, "two": two},
    )
    copy = backend.unused()
    none = {"type": "none"}
    try:
        clone = lxd.create(
            InstanceSpec(
                name=copy,
                copy_of=made,
                config={"user.a": "", "limits.memory": ""},
                devices={"one": none},
            )
        )
        assert not clone.config.get("user.a")
        assert not clone.config.get("limits.memory")
        assert clone.devices == {"one": none, "two": two}
        gone = {"user.a": None, "limits.memory": None}
        clone = lxd.update(copy, config=gone, devices={"one": None, "two": None})
        assert not {"user.a", "limits.memory"} & set(clone.config)
        assert clone.devices == {}
    finally:
        lxd.delete(copy)


def test_projects_do_not_see_each_others_instances_but_copy_across(
    backend: Backend, made: str
) -> None:
    assert backend.outside.instance(made) is None
    assert made not in [one.name for one in backend.outside.instances()]
    assert backend.outside.in_project(backend.lxd.project).instance(made) is not None
    copy = backend.unused()
    try:
        backend.outside.create(
            InstanceSpec(name=copy, copy_of=made, copy_project=backend.lxd.project)
        )
        assert backend.lxd.instance(copy) is None
    finally:
        backend.outside.delete(copy)


def test_update_adds_changes_and_removes(backend: Backend, made: str) -> None:
    first = {"type": "disk", "path": "/one", "source": "/tmp"}
    second = {"type": "disk", "path": "/two", "source": "/tmp"}
    backend.lxd.update(
        made, config={"user.a": "1", "user.b": "2"}, devices={"one": first, "two": second}
    )
    changed = backend.lxd.update(
        made,
        config={"user.a": "3", "user.b": None, "user.none": None},
        devices={"one": None, "two": {**second, "path": "/three"}, "none": None},
    )
    assert changed.config["user.a"] == "3"
    assert "user.b" not in changed.config
    assert changed.devices == {"two": {**second, "path": "/three"}}
    assert backend.lxd.instance(made) == changed


def test_concurrent_updates_all_stay(backend: Backend, made: str) -> None:
    lxds = (backend.lxd, backend.again())

    def set_key(number: int) -> None:
        lxds[number % 2].update(made, config={f"user.k{number}": "set"})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(set_key, range(16)))
    instance = backend.lxd.instance(made)
    assert instance is not None
    assert [key for key in range(16) if f"user.k{key}" not in instance.config] == []


def test_an_instance_starts_stops_and_is_told_so_twice(backend: Backend, made: str) -> None:
    unused = backend.lxd.instance(made)
    assert unused is not None
    assert unused.last_used_at is None
    backend.lxd.start(made)
    used = backend.lxd.instance(made)
    assert used is not None
    assert used.last_used_at is not None
    assert used.last_used_at > unused.created_at
    backend.lxd.start(made)
    running = backend.lxd.state(made)
    assert running.state is State.RUNNING
    assert running.processes
    assert running.memory_bytes > 0
    with pytest.raises(LxdError):
        backend.lxd.rename(made, backend.unused())
    backend.lxd.stop(made, timeout=5)
    backend.lxd.stop(made)
    stopped = backend.lxd.state(made)
    assert (stopped.state, stopped.ipv4, stopped.processes) == (State.STOPPED, (), 0)


def test_delete_takes_a_running_one_and_minds_no_missing_one(backend: Backend, made: str) -> None:
    backend.lxd.start(made)
    backend.lxd.delete(made)
    assert backend.lxd.instance(made) is None
    backend.lxd.delete(made)


def test_rename(backend: Backend, made: str, box: str) -> None:
    with pytest.raises(Conflict):
        backend.lxd.rename(made, box)
    before = backend.lxd.instance(made)
    new = backend.unused()
    backend.lxd.rename(made, new)
    try:
        assert backend.lxd.instance(made) is None
        after = backend.lxd.instance(new)
        assert before is not None
        assert after is not None
        assert after.created_at == before.created_at
        unlike = {key for key, value in after.config.items() if before.config.get(key) != value}
        # cloud-init would begin from the start. The old id can be written back.
        assert unlike <= {_CLOUD_ID, "volatile.apply_template"}
        assert after.config[_CLOUD_ID] != before.config[_CLOUD_ID]
        back = backend.lxd.update(new, config={_CLOUD_ID: before.config[_CLOUD_ID]})
        assert back.config[_CLOUD_ID] == before.config[_CLOUD_ID]
    finally:
        backend.lxd.delete(new)


def test_an_idle_instance_is_not_waited_for(backend: Backend, made: str) -> None:
    backend.lxd.wait_until_idle(made, timeout=5)


def test_there_are_no_snapshots_of_a_new_instance(backend: Backend, made: str) -> None:
    assert backend.lxd.snapshots(made) == ()


def test_a_volume_is_made_changed_used_and_removed(
    backend: Backend, made: str, volume: str
) -> None:
    lxd, pool = backend.lxd, backend.pool

    def shown() -> tuple[dict[str, str], tuple[str, ...]]:
        one = next(one for one in lxd.volumes(pool) if one.name == volume)
        own = {key: value for key, value in one.config.items() if key.startswith("user.")}
        return own, one.used_by

    lxd.create_volume(pool, volume, {"user.lab.owner": "bob", "user.b": "1"})
    assert shown() == ({"user.lab.owner": "bob", "user.b": "1"}, ())
    with pytest.raises(Conflict):
        lxd.create_volume(pool, volume, {})
    lxd.update_volume(pool, volume, {"user.b": None, "user.c": "2"})
    assert shown() == ({"user.lab.owner": "bob", "user.c": "2"}, ())

    home = {"type": "disk", "pool": pool, "source": volume, "path": "/home"}
    lxd.update(made, devices={"home": home})
    assert shown()[1] == (made,)
    with pytest.raises(LxdError):
        lxd.delete_volume(pool, volume)
    lxd.update(made, devices={"home": None})
    lxd.delete_volume(pool, volume)
    lxd.delete_volume(pool, volume)
    assert volume not in [one.name for one in lxd.volumes(pool)]
    with pytest.raises(NotFound):
        lxd.update_volume(pool, volume, {})


def test_a_pool_that_is_missing_has_no_volumes_to_show(backend: Backend) -> None:
    with pytest.raises(NotFound):
        backend.lxd.volumes(backend.unused())
