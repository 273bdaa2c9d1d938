"""The next root of a container: its create call, and what it is handed of the present one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab import labels
from lab.allowed import refuse_ungranted
from lab.cloudinit.sections import with_value
from lab.driver.delivery import Delivery, delivery_of_instance
from lab.errors import InputError
from lab.gpus.devices import gpu_devices, held_by
from lab.lxd.devices import NO_DEVICE, Devices, of_type, root_of
from lab.lxd.model import Instance, InstanceSpec
from lab.release import Needs
from provision.create.closed import closed
from provision.create.cloud_config import user_data
from provision.create.drift import refuse_drift
from provision.create.gpu_facts import GpuFacts
from provision.create.gpus import gpu_config
from provision.create.request import Request, wanted_password
from provision.keys.public_key import PublicKey
from provision.needs import needs_of
from provision.releases import Offer
from provision.upgrade.actions import Handed
from provision.upgrade.facts import Facts

AUTOSTART = "boot.autostart"
PROTECTION = "security.protection.delete"
_USER_DATA = ("cloud-init.user-data", "user.user-data")
_OF_A_ROOT = frozenset(
    {
        *_USER_DATA,
        *(labels.TEMPLATE, labels.VERSION, labels.DRIVER, labels.DELIVERY, labels.GPUS),
        *(labels.PHASE, labels.BUILDER, labels.CLOSED, labels.OWNER),
        *(labels.SYNC, labels.ISOLATE, labels.UPGRADE, labels.KEPT_ROOT),
        *(AUTOSTART, PROTECTION),
    }
)
"""Keys that are said of one root, or by one run."""
_WISHES = ("user.", "limits.", "boot.", "nvidia.", "security.idmap.", "snapshots.")
"""What begins so is the container's, whichever root it has."""
_EXCLUSIVE = ("nic", "proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRoot:
    spec: InstanceSpec
    handed: Handed


def next_root(
    instance: Instance,
    offer: Offer,
    facts: Facts,
    *,
    keys: tuple[PublicKey, ...],
    names: tuple[str, str],
) -> NextRoot:
    """A root of OFFER for INSTANCE. NAMES: its own until the swap, and the present one's after it.

    LabError where no container may be made of OFFER, or its GPUs would not work in it.
    """
    release, before = offer.release, needs_of(instance)
    refuse_ungranted(release)
    known = GpuFacts(host=facts.host, delivery=facts.host.delivery(release))
    gpus, gpu_keys = _gpus(instance, offer, known, facts)
    config = {
        **_kept(instance, before),
        **release.needs.config,
        "security.privileged": "false",
        labels.TEMPLATE: release.template,
        labels.VERSION: release.version,
        labels.PHASE: labels.PREPARING,
        labels.KEPT_ROOT: names[1],
        AUTOSTART: "false",
        labels.CLOSED: "true",
        facts.host.server.user_data_key: _user_data(instance, offer, facts, keys),
        **gpu_keys,
    }
    hidden = {name: NO_DEVICE for name in instance.expanded_devices if not _is_root(instance, name)}
    devices = {
        **release.needs.devices,
        **{
            name: device
            for name, device in instance.devices.items()
            if device.get("type") != "gpu" and before.devices.get(name) != device
        },
        **gpus,
    }
    name, root = _root(instance)
    devices.pop(name, None)
    return NextRoot(
        spec=InstanceSpec(
            name=names[0],
            image=offer.fingerprint,
            config=config,
            devices={**hidden, name: root},
            profiles=instance.profiles,
            description=f"{release.template} {release.version} for {instance.config[labels.OWNER]}",
        ),
        handed=_handed(devices, hidden, {}),
    )


def handed_back(instance: Instance, kept: Instance) -> Handed:
    """What the root KEPT is handed of INSTANCE: the wish of today, not that of its own time."""
    wishes = {key: value for key, value in instance.config.items() if _is_wish(key)}
    unsaid = {key: None for key in kept.config if _is_wish(key) and key not in wishes}
    name, root = _root(instance)
    own_name, own = root_of(kept.expanded_devices) or (name, root)
    devices = {one: device for one, device in instance.devices.items() if one != name}
    sized = {**own, **({"size": root["size"]} if "size" in root else {})}
    return _handed(
        {**devices, own_name: sized},
        dict(kept.devices),
        {**unsaid, **wishes},
    )


def stripped(instance: Instance) -> dict[str, Mapping[str, str]]:
    """The changes that leave INSTANCE its root alone: should somebody start it, it harms nobody.

    Nothing is taken away: a profile's device of the same name would appear.
    """
    names = {**instance.devices, **instance.expanded_devices}
    return {name: NO_DEVICE for name in names if not _is_root(instance, name)}


def put_back(instance: Instance, devices: Devices) -> dict[str, Mapping[str, str] | None]:
    """The changes after which INSTANCE has DEVICES, and no others of its own."""
    return {**dict.fromkeys(instance.devices), **devices}


def addresses(instance: Instance) -> dict[str, str]:
    """The keys that hold its MAC addresses."""
    return {
        key: value
        for key, value in instance.config.items()
        if key.startswith("volatile.") and key.endswith(".hwaddr")
    }


def _handed(devices: Devices, there: Devices, config: Mapping[str, str | None]) -> Handed:
    """THERE: the devices that it has until then; what hides a profile's is taken away."""
    hiding = {name for name, device in there.items() if device == NO_DEVICE}
    network = {name: device for name, device in devices.items() if device.get("type") in _EXCLUSIVE}
    shown = hiding - devices.keys()
    return Handed(
        config=config,
        devices={name: device for name, device in devices.items() if name not in network},
        network=network,
        shown=tuple(sorted(shown)),
    )


def _kept(instance: Instance, before: Needs) -> dict[str, str]:
    """Keys that an admin or a request set, and not LXD, the release or a run."""
    return {
        key: value
        for key, value in instance.config.items()
        if not key.startswith(("volatile.", "image.", "nvidia."))
        and key not in _OF_A_ROOT
        and before.config.get(key) != value
    }


def _is_wish(key: str) -> bool:
    return key == labels.GPUS or (key.startswith(_WISHES) and key not in _OF_A_ROOT)


def _gpus(
    instance: Instance, offer: Offer, known: GpuFacts, facts: Facts
) -> tuple[Devices, dict[str, str]]:
    """The GPUs that INSTANCE has, by devices as OFFER's userland needs them."""
    own = of_type("gpu", instance.devices)
    refuse_drift(offer.release, known, with_gpus=bool(own))
    delivery = known.delivery
    said = {labels.GPUS: instance.config.get(labels.GPUS)}
    if own or offer.release.driver:
        said[labels.DELIVERY] = delivery.value
    if delivery is Delivery.IMAGE:
        said[labels.DRIVER] = offer.release.driver
    if delivery_of_instance(instance, delivery) is delivery:
        nvidia = {key: value for key, value in instance.config.items() if key.startswith("nvidia.")}
        devices: Devices = own
    else:
        held = held_by(instance, facts.host.gpus)
        nvidia = {}
        said |= gpu_config(held, delivery, facts.profile)
        devices = gpu_devices(held, delivery)
    return devices, {**nvidia, **{key: value for key, value in said.items() if value}}


def _user_data(instance: Instance, offer: Offer, facts: Facts, keys: tuple[PublicKey, ...]) -> str:
    """What makes the account, closed; and leaves the host keys, which come from the other root."""
    account = instance.config[labels.OWNER]
    kept = instance.config.get(labels.REQUEST, "")
    request = Request(
        name=instance.name,
        account=account,
        template=offer.release.template,
        keys=keys,
        password=wanted_password(kept),
    )
    text = closed(user_data(request, offer.release, facts.settings), account)
    if text is None:
        raise InputError(
            "The lab's own container.yaml.j2 makes the account in a way that is not known here.",
            details="labstamp could not keep users out until the new root is checked.",
            fix="Make the account there by the key users, as the text of labstamp does.",
        )
    kept_keys = with_value(text, "ssh_deletekeys", lambda _: False)
    return kept_keys if "ssh_deletekeys:" in kept_keys else f"{text}\nssh_deletekeys: false\n"


def _root(instance: Instance) -> tuple[str, dict[str, str]]:
    name, device = root_of(instance.expanded_devices) or ("root", {"type": "disk", "path": "/"})
    return name, dict(device)


def _is_root(instance: Instance, name: str) -> bool:
    return name == _root(instance)[0]
