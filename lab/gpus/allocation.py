"""Which cards a container gets: who uses what, who may have it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.errors import CapacityError, InputError
from lab.gpus.devices import held_by
from lab.gpus.selection import GpuSelection
from lab.lxd.model import Card, Instance

Users = Mapping[str, tuple[str, ...]]
"""PCI address, or UUID of a part (`MIG-…`) → names of the instances that hold it."""

_WHO = "See who has what: invoke host.gpus"
_NO_CARD = "This host has no NVIDIA card."


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    limit: int | None = None
    """How many containers may hold one card; None: any number."""


def users(instances: Iterable[Instance], cards: Sequence[Card]) -> Users:
    """Who holds which card, running or not; an entry for every card and every part of one."""
    found: dict[str, list[str]] = {}
    for card in cards:
        found.update({key: [] for key in (card.pci, *card.mig)})
    for instance in instances:
        for card in held_by(instance, cards):
            for key in (card.pci, *card.mig):
                found[key].append(instance.name)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def allocate(
    wish: GpuSelection, cards: Sequence[Card], users: Users, policy: Policy, *, name: str
) -> tuple[Card, ...]:
    """The cards that NAME gets, in nvidia-smi's order. A part of a card comes as its card with
    that part alone in `mig`; a whole card with none.

    CapacityError when those who hold them leave no room, InputError for a card that is not there.
    """
    if wish.is_none:
        return ()
    if wish.named:
        chosen = _named(wish.named, cards)
        crowded = [card for card in chosen if not _has_room(card, users, policy, name)]
        if crowded:
            raise _taken(crowded, cards, users, policy)
        return chosen
    # A card that is split is of use by its parts only.
    whole = [card for card in cards if not card.mig]
    count = len(whole) if wish.everything else wish.count
    free = [card for card in whole if _has_room(card, users, policy, name)]
    if not whole or len(free) < count:
        raise _too_few(count, free, cards, users, policy)
    free.sort(key=lambda card: _burden(card, users, name))
    return _in_order(free[:count], cards)


def index_of(card: Card, cards: Sequence[Card]) -> int:
    """The number that nvidia-smi shows. CARDS are the server's, as the port orders them."""
    return next(number for number, other in enumerate(cards) if other.pci == card.pci)


def _named(selectors: Sequence[str], cards: Sequence[Card]) -> tuple[Card, ...]:
    found: list[Card] = []
    for selector in selectors:
        card = _find(selector, cards)
        if card is None:
            raise _unknown(selector, cards)
        if not card.mig and (parts := cards[index_of(card, cards)].mig):
            raise _split(selector, parts)
        if card not in found:
            found.append(card)
    return _in_order(found, cards)


def _find(selector: str, cards: Sequence[Card]) -> Card | None:
    for number, card in enumerate(cards):
        if selector in card.mig:
            return replace(card, mig=(selector,))
        if selector in {card.pci, card.uuid, f"idx:{number}"}:
            return replace(card, mig=())
    return None


def _has_room(card: Card, users: Users, policy: Policy, name: str) -> bool:
    holders = users.get(_key(card), ())
    return policy.limit is None or name in holders or len(holders) < policy.limit


def _burden(card: Card, users: Users, name: str) -> tuple[bool, int]:
    """The less, the sooner it is given; cards that NAME holds come first."""
    holders = users.get(card.pci, ())
    return name not in holders, len(holders)


def _in_order(chosen: Sequence[Card], cards: Sequence[Card]) -> tuple[Card, ...]:
    return tuple(sorted(chosen, key=lambda card: (index_of(card, cards), card.mig)))


def _key(card: Card) -> str:
    return card.mig[0] if card.mig else card.pci


def _unknown(selector: str, cards: Sequence[Card]) -> InputError:
    lines = [f"{number}  {card.pci}  {card.uuid or '-'}" for number, card in enumerate(cards)]
    lines += [f"   {part}  part of {card.pci}" for card in cards for part in card.mig]
    if selector.startswith("MIG-"):
        lines.append("Parts of cards are known where labstamp runs on the host itself.")
    return InputError(
        f"There is no card {selector}.",
        details="\n".join(["There are:", *lines]) if cards else _NO_CARD,
        fix=_WHO,
    )


def _split(selector: str, parts: Sequence[str]) -> InputError:
    return InputError(
        f"The card {selector} is split, and of use by its parts only.",
        details="\n".join(parts),
        fix=f"Ask for a part: --gpus {parts[0]}",
    )


def _taken(
    crowded: Sequence[Card], cards: Sequence[Card], users: Users, policy: Policy
) -> CapacityError:
    names = ", ".join(_key(card) for card in crowded)
    verb = "is" if len(crowded) == 1 else "are"
    return CapacityError(f"{names} {verb} taken.", details=_holders(cards, users, policy), fix=_WHO)


def _too_few(
    count: int, free: Sequence[Card], cards: Sequence[Card], users: Users, policy: Policy
) -> CapacityError:
    if not cards:
        return CapacityError(_NO_CARD, fix="Leave --gpus out, or ask for none: --gpus none")
    wanted = "1 GPU is" if count == 1 else f"{count or 'All'} GPUs are"
    return CapacityError(
        f"{wanted} wanted, {len(free) or 'none'} can be given.",
        details=_holders(cards, users, policy),
        fix=_WHO,
    )


def _holders(cards: Sequence[Card], users: Users, policy: Policy) -> str:
    lines = []
    for number, card in enumerate(cards):
        who = f"split into {len(card.mig)}" if card.mig else _names(card.pci, users)
        lines.append(f"{number}  {card.pci}  {who}")
        lines += [f"   {part}  {_names(part, users)}" for part in card.mig]
    if policy.limit is not None:
        many = "one container" if policy.limit == 1 else f"{policy.limit} containers"
        lines.append(f"`gpus:` in lab.yaml lets {many} have a card.")
    return "\n".join(lines)


def _names(key: str, users: Users) -> str:
    return ", ".join(users.get(key, ())) or "free"
