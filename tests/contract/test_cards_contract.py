"""What every LXD behind the port does: the host's cards, and giving them."""

from __future__ import annotations

from lab.driver.delivery import Delivery
from lab.gpus.devices import gpu_devices, held_by
from lab.hardware.pci import by_address, pci_address
from lab.lxd.model import InstanceSpec
from tests.contract.conftest import Backend

# The fake has the four of the simulated host; on the real one there are these, or none.


def test_cards_come_in_the_order_of_nvidia_smi(backend: Backend) -> None:
    cards = backend.lxd.cards()
    addresses = [card.pci for card in cards]
    assert addresses == sorted(addresses, key=by_address)
    assert len(set(addresses)) == len(cards)
    for card in cards:
        assert card.pci == pci_address(card.pci)
        assert card.model
        assert card.uuid is None or card.uuid.startswith("GPU-")
        assert card.driver is None or card.driver[0].isdigit()
    assert backend.outside.cards() == cards


def test_a_card_is_given_at_creation_and_taken_from_what_runs(backend: Backend, name: str) -> None:
    cards = backend.lxd.cards()
    given = gpu_devices(cards[:1], Delivery.IMAGE)
    spec = InstanceSpec(name=name, image=backend.image.fingerprint, devices=given)
    assert held_by(backend.lxd.create(spec), cards) == cards[:1]
    backend.lxd.start(name)

    more = backend.lxd.update(name, devices=gpu_devices(cards[1:3], Delivery.IMAGE))
    assert held_by(more, cards) == cards[:3]
    less = backend.lxd.update(name, devices=dict.fromkeys(given))
    assert held_by(less, cards) == cards[1:3]
