"""What a card tells: plain values, from the document of `invoke show` and the settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import InputError
from lab.settings.people import SSH, Front, front_of
from lab.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One port of the container, as its person reaches it."""

    host: str
    port: int
    through: Front | None = None
    """None: without another machine in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    place: str
    kind: str | None
    """As `lab.settings.shares` has it; None where that is not known any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Sizes in bytes; None: not limited."""

    name: str
    account: str
    ssh: Way
    rdp: Way | None = None
    cpus: int | None = None
    memory: int | None = None
    memory_share: str | None = None
    """Of the server's, such as `50%`, where only that is known."""
    root: int | None = None
    home: int | None = None
    gpus: tuple[str, ...] = ()
    """Their models."""
    shares: tuple[Share, ...] = ()
    has_docker: bool = False
    password: str | None = None
    """One that was made just now; it is shown this once."""
    until: str | None = None
    """The last day; None: there is no end."""
    contact: str | None = None


def facts_of(
    container: Mapping[str, Any], settings: Settings, *, password: str | None = None
) -> Facts:
    """Of a CONTAINER as `provision.listing.show` has it. InputError where it has no address."""
    address = next(iter((*container["ipv4"], *container["ipv6"])), None)
    name = container["name"]
    if address is None:
        raise InputError(
            f"{name} has no address: its state is {container['state']}.",
            details="A card tells how to log in.",
            fix=f"Start it: invoke start {name}",
        )
    front = front_of(settings.public) if settings.public else None
    rdp = container["access"]["rdp"]
    until = container["until"]
    return Facts(
        name=name,
        account=container["owner"],
        ssh=Way(host=address, port=SSH, through=front),
        rdp=Way(host=address, port=int(rdp.rpartition(":")[2]), through=front) if rdp else None,
        cpus=container["cpus"],
        memory=container["memory_bytes"],
        memory_share=container["memory_limit"],
        root=container["disk_bytes"],
        home=container["home_bytes"],
        gpus=tuple(_gpus(container["cards"])),
        shares=tuple(Share(place=one["at"], kind=one["kind"]) for one in container["shares"]),
        has_docker="docker" in container["groups"],
        password=password,
        until=until if until != "never" else None,
        contact=settings.contact,
    )


def _gpus(cards: list[Mapping[str, Any]]) -> Iterator[str]:
    for card in cards:
        part = f" ({', '.join(card['mig'])})" if card["mig"] else ""
        yield f"{card['model'] or card['pci']}{part}"
