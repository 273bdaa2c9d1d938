"""The one create call: everything that a container is, so that no restart is needed afterwards."""

from __future__ import annotations

from collections.abc import Mapping

from lab import labels
from lab.allowed import refuse_ungranted
from lab.errors import LxdError
from lab.lxd.devices import NIC, ROOT, connection, nic_of, root_of
from lab.lxd.idmap import IdRange
from lab.lxd.model import InstanceSpec
from lab.lxd.nic_filters import filtering
from lab.lxd.swap import KEY as SWAP
from lab.lxd.swap import without_swap
from provision.create.capacity import disk_size
from provision.create.closed import closed
from provision.create.defaults import default_limits
from provision.create.facts import Facts
from provision.create.gpus import Share
from provision.create.request import Request
from provision.create.time import time_of
from provision.homes import HOME
from provision.limits import CPUS, MEMORY, as_limit
from provision.releases import Offer
from provision.shares.plan import wishes
from provision.shares.sharing import devices_of, refuse_overlaps


def instance_spec(
    request: Request, offer: Offer, facts: Facts, gpus: Share, ids: IdRange
) -> InstanceSpec:
    release = offer.release
    refuse_ungranted(release)
    refuse_overlaps(facts.sharings, {**facts.profile.devices, **release.needs.devices})
    return InstanceSpec(
        name=request.name,
        image=offer.fingerprint,
        config={**_config(request, offer, facts), **gpus.config, **ids.config},
        devices={**_devices(request, offer, facts), **gpus.devices},
        description=f"{release.template} {release.version} for {request.account}",
    )


def _config(request: Request, offer: Offer, facts: Facts) -> dict[str, str]:
    config = {
        **default_limits(offer.release.template, facts),
        **offer.release.needs.config,
        # Said outright, because a profile might say otherwise.
        "security.privileged": "false",
        labels.OWNER: request.account,
        labels.TEMPLATE: offer.release.template,
        labels.VERSION: offer.release.version,
        labels.REQUEST: request.canonical(),
        labels.PHASE: labels.PREPARING,
        labels.BUILDER: facts.builder,
        **time_of(request, facts),
    }
    if facts.sharings:
        names = [one.name for one in facts.sharings]
        marks = wishes(config, names, facts.sharings)
        config.update({key: value for key, value in marks.items() if value is not None})
    if request.keys:
        config[labels.AUTHORIZED] = "\n".join(key.line for key in request.keys)
    if request.cpus is not None:
        config[CPUS] = str(request.cpus)
    if request.memory_bytes is not None:
        config[MEMORY] = as_limit(request.memory_bytes)
    if MEMORY in config or MEMORY in facts.profile.config:
        said = SWAP in facts.profile.config
        config.update({} if said else without_swap(facts.server))
    if facts.user_data is not None:
        text = closed(facts.user_data, request.account)
        config[facts.server.user_data_key] = text or facts.user_data
        if text is not None:
            config[labels.CLOSED] = "true"
    return config


def _devices(request: Request, offer: Offer, facts: Facts) -> dict[str, Mapping[str, str]]:
    root = root_of(facts.profile.devices)
    disk: dict[str, str] = {**ROOT, "pool": facts.pool.name}
    size = disk_size(request, offer)
    if size is not None:
        disk["size"] = as_limit(size)
    home_pool = facts.home.pool if facts.home else facts.pool.name
    home = {**HOME, "pool": home_pool, "source": facts.home_name}
    # The profile's names are kept: a device of the same name replaces the profile's.
    return {
        **offer.release.needs.devices,
        root[0] if root else "root": disk,
        "home": home,
        **_nic(facts),
        **devices_of(facts.sharings),
    }


def unfiltered(facts: Facts) -> tuple[str, ...]:
    """What its NIC is not kept from, and why."""
    _, device = _plugged(facts)
    return filtering(device, facts.networks, facts.wanted).lacking


def _nic(facts: Facts) -> dict[str, dict[str, str]]:
    """Nothing where the profile's own will do."""
    name, device = _plugged(facts)
    filters = filtering(device, facts.networks, facts.wanted).keys
    return {name: {**device, **filters}} if filters or facts.network is not None else {}


def _plugged(facts: Facts) -> tuple[str, dict[str, str]]:
    """The NIC without filters, and its name: of the settings, else all that the profile says."""
    nic = nic_of(facts.profile.devices)
    if facts.network is not None:
        name = nic[0] if nic else "eth0"
        return name, {**NIC, "name": "eth0", **connection(facts.network)}
    if nic is None:
        raise LxdError(
            "The default profile has no network, and none is set in the settings.",
            fix="Set `network:` in lab.yaml, or prepare the host: invoke host.setup",
        )
    return nic[0], dict(nic[1])
