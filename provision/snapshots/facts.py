"""What is known of a person's container, home and snapshots, read in one go."""

from __future__ import annotations

from lab.lxd.port import Lxd
from provision.homes import read_stores
from provision.ids.marker import refuse_while_isolated
from provision.managed import managed_container
from provision.restoring import home_of, unfinished
from provision.snapshots.pairs import read_pairs
from provision.snapshots.plan import Facts
from provision.snapshots.take import no_home
from provision.whole import whole_container


def read(lxd: Lxd, name: str) -> Facts:
    """InputError where there is no container of labstamp's by NAME, or it has no home."""
    instance = managed_container(lxd, name)
    refuse_while_isolated(instance)
    found = unfinished(read_stores(lxd).homes(name))
    if found is None:
        instance = whole_container(lxd, name)
        home, journal = home_of(lxd, instance), None
    else:
        home, journal = found
    if home is None:
        raise no_home(name)
    return Facts(
        instance=instance,
        home=home,
        pairs=read_pairs(lxd, instance, home),
        pools={pool.name: pool for pool in lxd.pools()},
        journal=journal,
    )
