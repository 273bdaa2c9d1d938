"""What a container has now, field by field. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab import labels
from lab.gpus.devices import held_by
from lab.lxd.devices import devices_of, of_type, root_of
from lab.lxd.model import Gpu, Grant, Instance, State, Volume
from lab.shares.devices import shares_of
from lab.sizes import as_limit
from provision.expiring import ENDED, NEVER, seen_mark
from provision.homes import HOME
from provision.keys.given import keys_in
from provision.keys.public_key import BadKey, PublicKey, parse_key
from provision.lab_file.texts import Mark, Texts, listed, read_mark
from provision.limits import bytes_of, limits_of
from provision.managed import command_that_finishes, is_managed, is_preparing
from provision.moving import arrival_mark, move_mark
from provision.needs import needs_of

_BY_HAND = frozenset({"proxy", "disk", "unix-char", "unix-block", "usb", "nic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A container of labstamp, or what is kept of one."""

    name: str
    instance: Instance | None
    home: Volume | None = None
    held: tuple[Grant, ...] = ()
    """GPUs, and parts of them."""
    is_upgraded: bool = False
    """An upgrade of it has not ended: its files may be in another instance."""

    @property
    def is_half_made(self) -> bool:
        return self.instance is not None and is_preparing(self.instance)

    @property
    def account(self) -> str:
        found = self.instance or self.home
        return found.config.get(labels.OWNER, "") if found is not None else ""

    @property
    def mark(self) -> Mark:
        found = self.instance.config.get(labels.APPLIED) if self.instance else None
        return read_mark(found)

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be done with it now, and what can."""
        instance = self.instance
        if self.is_upgraded:
            return f"it is being upgraded; if that was interrupted: invoke upgrade {self.name}"
        if instance is None:
            return None
        if not is_managed(instance):
            return "labstamp did not make this instance; it is not changed. Choose another name"
        moved = move_mark(instance)
        if moved is not None and moved.is_moved:
            return f"it was moved to {moved.remote}; remove it from this file"
        finish = command_that_finishes(instance)
        if arrival_mark(instance) is not None or (
            self.is_half_made and finish != f"invoke provision {self.name}"
        ):
            return f"it is half made; first: {finish}"
        return None

    @property
    def noted(self) -> Mapping[str, str]:
        """Keys about the time of its person."""
        found = self.home or self.instance
        return found.config if found is not None else {}

    @property
    def has_ended(self) -> bool:
        """Whether steps at the end of its person's time were taken."""
        mark = seen_mark(self.noted)
        return mark is not None and mark.state in ENDED

    @property
    def public_keys(self) -> tuple[PublicKey, ...] | None:
        """Those that were asked for; None where only their fingerprints are known."""
        config = self.instance.config if self.instance else {}
        try:
            found = tuple(map(parse_key, config.get(labels.AUTHORIZED, "").splitlines()))
        except BadKey:
            return None
        return found if found or not keys_in(config.get(labels.REQUEST, "")) else None

    @property
    def fingerprints(self) -> tuple[str, ...]:
        found = self.public_keys
        if found is not None:
            return tuple(key.fingerprint for key in found)
        return keys_in(self.instance.config.get(labels.REQUEST, "")) if self.instance else ()

    @property
    def texts(self) -> Texts:
        if self.instance is None:
            return {}
        instance, limits = self.instance, limits_of(self.instance)
        root = root_of(devices_of(instance))
        said = {
            "template": instance.config.get(labels.TEMPLATE),
            "cpus": None if limits.cpus is None else str(limits.cpus),
            "memory": _size(limits.memory),
            "processes": None if limits.processes is None else str(limits.processes),
            "disk": _size(root[1].get("size") if root else None),
            "home": _size(self.home.config.get("size") if self.home else None),
            "gpus": ",".join(one.label for one in self.held) or "none",
            "shares": listed(shares_of(instance)),
            "keys": listed(self.fingerprints),
            "until": self.noted.get(labels.UNTIL, NEVER),
            "mail": self.noted.get(labels.MAIL),
        }
        return {word: text for word, text in said.items() if text is not None}

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Devices that labstamp did not give it: they stay as they are."""
        if self.instance is None:
            return ()
        needed = needs_of(self.instance).devices
        found = {
            name: device
            for name, device in self.instance.devices.items()
            if device.get("type") in _BY_HAND
            and device.get("path") not in {"/", HOME["path"]}
            and not name.startswith("share-")
            and needed.get(name) != device
        }
        first_nic = next(iter(of_type("nic", self.instance.devices)), None)
        return tuple(
            f"{name} ({device['type']})" for name, device in found.items() if name != first_nic
        )

    @property
    def is_running(self) -> bool:
        return self.instance is not None and self.instance.state is State.RUNNING


def present_of(
    name: str,
    instance: Instance | None,
    homes: Sequence[Volume],
    gpus: Sequence[Gpu],
    *,
    is_upgraded: bool = False,
) -> Present:
    mine = [home for home in homes if instance is None or name in home.used_by]
    return Present(
        is_upgraded=is_upgraded,
        name=name,
        instance=instance,
        home=mine[0] if len(mine) == 1 else None,
        held=held_by(instance, gpus) if instance is not None else (),
    )


def _size(limit: str | None) -> str | None:
    """In one spelling; as it is where it holds no size (`50%`)."""
    size = bytes_of(limit)
    return limit or None if size is None else as_limit(size)
