"""From the file and what LXD has to what is put back, and what is only told. Pure.

Nothing is deleted, and nothing of others is changed. LXD's own database is told by its absence: a
volume that `lxd recover` found has no keys at all. An instance has those that LXD wrote beside its
root; where these are of after the file was written, they are the newer truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from lab.lxd.model import Profile
from provision.lab_state.actions import (
    Action,
    CreateAcl,
    CreateNetwork,
    CreateProject,
    LostPool,
    Plan,
    PutAlias,
    PutImage,
    Recover,
    SetProfile,
    Told,
)
from provision.lab_state.document import LabState, SavedProfile
from provision.lab_state.facts import Facts
from provision.lab_state.instances import instance_steps
from provision.lab_state.volumes import volume_steps

_SOURCE = "source"


def plan_import(state: LabState, facts: Facts, *, from_file: bool = False) -> Plan:
    """FROM_FILE: the file counts also where LXD's own record is newer."""
    projects = tuple(_projects(state, facts))
    if state.project not in facts.projects:
        return Plan(actions=projects)
    ground = (*projects, *_networks(state, facts), *_profiles(state, facts))
    lost = _lost_pools(state, facts)
    if lost:
        recover = Recover(pools=lost, instances=len(state.instances), volumes=len(state.volumes))
        return Plan(actions=(*ground, recover), told=(*_told_networks(state, facts),))
    found = (
        *chain.from_iterable(volume_steps(one, facts) for one in state.volumes),
        *chain.from_iterable(
            instance_steps(one, state, facts, from_file=from_file) for one in state.instances
        ),
        *_images(state, facts),
        *_told_networks(state, facts),
    )
    told = tuple(one for one in found if isinstance(one, Told))
    return Plan(actions=(*ground, *(one for one in found if not isinstance(one, Told))), told=told)


def _projects(state: LabState, facts: Facts) -> Iterator[CreateProject]:
    for name, config in state.projects.items():
        if name not in facts.projects:
            yield CreateProject(name=name, config=config)


def _networks(state: LabState, facts: Facts) -> Iterator[CreateAcl | CreateNetwork]:
    for name, rules in state.acls.items():
        if name not in facts.acls:
            yield CreateAcl(name=name, rules=rules)
    for name, config in state.networks.items():
        if name not in facts.networks or not facts.networks[name].managed:
            yield CreateNetwork(name=name, config=_settable(config))


def _told_networks(state: LabState, facts: Facts) -> Iterator[Told]:
    for name, config in state.networks.items():
        there = facts.networks.get(name)
        if there is not None and there.managed:
            other = _differing(_settable(config), there.config)
            if other:
                yield Told(
                    subject=f"network {name}",
                    text=f"is not as in the file, and stays as it is: {', '.join(other)}",
                )


def _profiles(state: LabState, facts: Facts) -> Iterator[SetProfile]:
    for name, told in state.profiles.items():
        there = facts.profiles.get(name)
        if there is None:
            yield SetProfile(name=name, config=told.config, devices=told.devices)
        elif added := _lacking(told, there):
            yield SetProfile(
                name=name,
                # What somebody has put there since stays.
                config={**told.config, **there.config},
                devices={**told.devices, **there.devices},
                added=added,
            )


def _lacking(told: SavedProfile, there: Profile) -> tuple[str, ...]:
    devices = (f"device {name}" for name in told.devices if name not in there.devices)
    return (*sorted(told.config.keys() - there.config.keys()), *devices)


def _lost_pools(state: LabState, facts: Facts) -> tuple[LostPool, ...]:
    return tuple(
        LostPool(
            name=name,
            driver=pool.driver,
            source=pool.config.get(_SOURCE, ""),
            config={key: value for key, value in _settable(pool.config).items() if key != _SOURCE},
        )
        for name, pool in state.pools.items()
        if name not in facts.pools
    )


def _images(state: LabState, facts: Facts) -> Iterator[Action | Told]:
    gone = 0
    for told in state.images:
        there = facts.images.get(told.fingerprint)
        if there is None:
            gone += 1
            continue
        lacking = {
            key: value for key, value in told.properties.items() if key not in there.properties
        }
        if lacking:
            yield PutImage(fingerprint=told.fingerprint, properties=lacking)
        for alias in told.aliases:
            if alias not in facts.aliases:
                yield PutAlias(name=alias, fingerprint=told.fingerprint)
    if gone:
        yield Told(
            subject=f"{gone} image{'s' if gone > 1 else ''}",
            text="not in LXD, which keeps images nowhere else; containers do not need them",
            fix="invoke build-images",
        )


def _settable(config: Mapping[str, str]) -> dict[str, str]:
    """Without what LXD notes for itself."""
    return {key: value for key, value in config.items() if not key.startswith("volatile.")}


def _differing(told: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    return sorted(key for key in told if told[key] != there.get(key))
