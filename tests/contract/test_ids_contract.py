"""What every LXD behind the port does: ranges of ids."""

from __future__ import annotations

from lab.lxd.idmap import (
    NEXT,
    ON_DISK,
    ON_VOLUME,
    SIZE,
    IdRange,
    daemon_range,
    own_range,
    same_map,
    shares,
)
from tests.contract.conftest import Backend


def test_a_container_that_shares_its_ids_tells_the_daemons_range(
    backend: Backend, made: str
) -> None:
    instance = backend.lxd.instance(made)
    assert instance is not None
    assert shares(instance)
    assert own_range(instance) is None
    assert daemon_range([instance]) == backend.lxd.id_range()


def test_a_pinned_range_is_that_of_root_and_volumes_from_the_next_start_on(
    backend: Backend, made: str, volume: str
) -> None:
    lxd, pool = backend.lxd, backend.pool
    whole = lxd.id_range()
    assert whole is not None
    pinned = IdRange(whole.base + 20 * SIZE, SIZE)
    lxd.create_volume(pool, volume, {})
    home = {"type": "disk", "path": "/mnt", "pool": pool, "source": volume}
    lxd.update(made, config=pinned.config, devices={"home": home})
    instance = lxd.instance(made)
    assert instance is not None
    assert not shares(instance)
    assert own_range(instance) == pinned

    lxd.start(made)
    instance = lxd.instance(made)
    (found,) = (one for one in lxd.volumes(pool) if one.name == volume)
    assert instance is not None
    # Where the kernel maps the mount, nothing is written to the root.
    assert same_map(instance.config[ON_DISK], instance.config[NEXT]) or same_map(
        instance.config[ON_DISK], "[]"
    )
    assert same_map(found.config[ON_VOLUME], instance.config[NEXT])

    lxd.stop(made, force=True)
    lxd.update(made, config=dict.fromkeys(pinned.config), devices={"home": None})
    instance = lxd.instance(made)
    assert instance is not None
    assert shares(instance)
