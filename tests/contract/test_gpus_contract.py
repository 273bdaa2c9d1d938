"""What every LXD behind the port does: the host's GPUs, and giving them."""

from __future__ import annotations

from lab.driver.delivery import Delivery
from lab.gpus.devices import gpu_devices, held_by
from lab.hardware.pci import by_address, pci_address
from lab.lxd.model import InstanceSpec
from tests.contract.conftest import Backend

# The fake has the four of the simulated host; on the real one there are these, or none.


def test_gpus_come_in_the_order_of_nvidia_smi(backend: Backend) -> None:
    gpus = backend.lxd.gpus()
    addresses = [gpu.pci for gpu in gpus]
    assert addresses == sorted(addresses, key=by_address)
    assert len(set(addresses)) == len(gpus)
    for gpu in gpus:
        assert gpu.pci == pci_address(gpu.pci)
        assert gpu.model
        assert gpu.uuid is None or gpu.uuid.startswith("GPU-")
        assert gpu.driver is None or gpu.driver[0].isdigit()
    assert backend.outside.gpus() == gpus


def test_a_gpu_is_given_at_creation_and_taken_from_what_runs(backend: Backend, name: str) -> None:
    gpus = backend.lxd.gpus()
    given = gpu_devices(gpus[:1], Delivery.IMAGE)
    spec = InstanceSpec(name=name, image=backend.image.fingerprint, devices=given)
    assert held_by(backend.lxd.create(spec), gpus) == gpus[:1]
    backend.lxd.start(name)

    more = backend.lxd.update(name, devices=gpu_devices(gpus[1:3], Delivery.IMAGE))
    assert held_by(more, gpus) == gpus[:3]
    less = backend.lxd.update(name, devices=dict.fromkeys(given))
    assert held_by(less, gpus) == gpus[1:3]
