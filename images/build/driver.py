"""How the driver gets into the containers of each template, and which userland that takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from images.context import BuildContext
from lab.driver.delivery import Chosen, Delivery
from lab.driver.userland import Userland, userland_of
from lab.errors import InputError
from lab.host_gpus import HostGpus, read_host_gpus


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverChoice:
    """What of a driver a template's releases carry: a USERLAND, or none as it comes otherwise."""

    chosen: Chosen
    asked: Delivery | None = None
    """The delivery that the template's definition, or its parent's, asks for."""
    userland: Userland | None = None

    @property
    def version(self) -> str | None:
        return self.userland.version if self.userland else None

    def inputs(self) -> dict[str, str]:
        """What a release's recipe says of it."""
        asked = {"delivery": self.asked.value} if self.asked else {}
        return {**asked, **(self.userland.inputs() if self.userland else {})}

    def __str__(self) -> str:
        if self.version:
            return f"driver {self.version} by {self.chosen}"
        if self.chosen.delivery is Delivery.NONE:
            return f"no driver inside: {self.chosen.reason}"
        return f"no driver inside, {self.chosen}"


def driver_choices(context: BuildContext, templates: Iterable[str]) -> Mapping[str, DriverChoice]:
    """By template. InputError where there is nothing to make an image's userland from."""
    host = read_host_gpus(context.lxd, context.settings)
    userland: Userland | None = None
    found = {}
    for name in templates:
        asked = context.catalog.delivery(name)
        chosen = host.chosen(asked)
        # An abstract template has no release to carry it.
        carries = chosen.delivery is Delivery.IMAGE and not context.catalog.get(name).abstract
        if carries and userland is None:
            userland = userland_of(context.settings, _version(host))
        baked = userland if carries else None
        found[name] = DriverChoice(chosen=chosen, asked=asked, userland=baked)
    return found


def in_words(found: Mapping[str, DriverChoice]) -> tuple[str, ...]:
    """One line where all templates get it the same way, else a line each."""
    if len(set(map(str, found.values()))) > 1:
        return tuple(f"{name}: {choice}" for name, choice in found.items())
    return tuple(str(choice) for choice in list(found.values())[:1])


def _version(here: HostGpus) -> str:
    wanted, host = here.settings.driver.version, here.driver
    if wanted is not None and host not in {None, wanted}:
        raise InputError(
            f"`driver: {{version: {wanted}}}` in lab.yaml is not the version of this host's "
            f"kernel module, {host}: no user could get such a release.",
            fix="Remove `driver: {version: …}` from lab.yaml, or update the host's driver and "
            "reboot first.",
        )
    version = wanted or host
    if version is None:
        raise InputError(
            "This host has no NVIDIA kernel module loaded, so images cannot match its version.",
            fix="Load the driver, or set `driver: {version: …}` or `driver: {delivery: none}` in "
            "lab.yaml.",
        )
    return version
