"""What is said of GPUs, in the odd forms that hosts give it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from lab.errors import LxdError
from lab.hardware.nvidia import Known
from lab.lxd import gpus, parse
from lab.lxd.client import Client
from lab.lxd.errors import Place
from lab.lxd.model import Gpu
from lab.lxd.rest import Rest
from lab.lxd.session import tls_session
from lab.lxd.transport import handshake
from tests.support.builders.four_gpus import FOUR, PARTS, PCI, gpu, split, uuid

URL = "https://lab.example:8443"
NINTH = Known(uuid=uuid(9), model="nine")
PRODUCT = "AD102 [GeForce RTX 4090]"
HELLO = {"type": "sync", "metadata": {"auth": "trusted", "environment": {}, "api_extensions": []}}


def raw(number: int, **changes: Any) -> dict[str, Any]:
    """As LXD 5.0.2 tells of it on the simulated host."""
    told = {
        "driver": "nvidia",
        "driver_version": "535.261.03",
        "drm": {"id": number + 1, "card_name": f"GPU{number + 1}"},
        "nvidia": {
            "cuda_version": "12.2",
            "nvrm_version": "535.261.03",
            "brand": "GeForce",
            "model": "NVIDIA GeForce RTX 4090",
            "uuid": uuid(number),
            "card_name": f"nvidia{number}",
            "card_device": f"195:{number}",
        },
        "numa_node": 0,
        "pci_address": PCI[number],
        "vendor_id": "10de",
        "vendor": "NVIDIA Corporation",
        "product_id": "2684",
        "product": PRODUCT,
        **changes,
    }
    return {key: value for key, value in told.items() if value is not None}


H100 = {
    "driver": "nvidia",
    "driver_version": "580.159.04",
    "numa_node": 0,
    "nvidia": {
        "brand": "NVIDIA",
        "card_device": "195:0",
        "card_name": "nvidia0",
        "model": "NVIDIA H100 80GB HBM3",
    },
    "pci_address": "0000:00:06.0",
    "product_id": "2330",
    "vendor_id": "10de",
}
"""All that LXD 5.0.2 tells of it where there is neither nvidia-container-cli nor DRM."""
VGA = {"driver": "ast", "driver_version": "6.1.0", "pci_address": "0000:03:00.0"}


@pytest.mark.parametrize(
    ("raws", "found"),
    [
        ([], ()),
        ([raw(0)], (gpu(0),)),
        ([{**VGA, "vendor_id": "1a03"}, raw(0)], (gpu(0),)),
        ([raw(3), raw(0), raw(2)], (gpu(0), gpu(2), gpu(3))),
        ([raw(0, pci_address="0000:B1:00.0")], (gpu(0, pci=PCI[2]),)),
        ([raw(0, driver="vfio-pci"), raw(1)], (gpu(1),)),
        ([raw(0, pci_address=None, usb_address="1:4")], ()),
        ([raw(0, driver="nouveau", driver_version="6.1.0-9-amd64")], (gpu(0, driver=None),)),
        ([raw(0, driver=None, driver_version=None), raw(1)], (gpu(1), gpu(0, driver=None))),
    ],
    ids=[
        "none",
        "one",
        "beside-vga",
        "by-address",
        "upper-case",
        "to-a-vm",
        "on-usb",
        "nouveau",
        "driverless-last",
    ],
)
def test_gpus_of_a_host(raws: list[dict[str, Any]], found: tuple[Gpu, ...]) -> None:
    assert parse.gpus(raws) == found


@pytest.mark.parametrize(
    ("told", "known", "found"),
    [
        ({}, {}, gpu(0)),
        ({}, {PCI[0]: Known(uuid=uuid(9), model="other")}, gpu(0)),
        ({"nvidia": {"model": "RTX"}}, {PCI[0]: NINTH}, gpu(0, model="RTX", uuid=uuid(9))),
        ({"nvidia": None}, {PCI[0]: NINTH}, gpu(0, model="nine", uuid=uuid(9))),
        ({"nvidia": None}, {PCI[1]: NINTH}, gpu(0, model=PRODUCT, uuid=None)),
        ({"nvidia": None, "product": None}, {}, gpu(0, model="NVIDIA 10de:2684", uuid=None)),
        ({"nvidia": {"uuid": ""}, "product": ""}, {}, gpu(0, model="NVIDIA 10de:2684", uuid=None)),
    ],
)
def test_what_lxd_leaves_out_is_filled_in(
    told: dict[str, Any], known: dict[str, Known], found: Gpu
) -> None:
    assert parse.gpus([raw(0, **told)], known=known) == (found,)


def test_a_real_h100_in_a_server_without_nvidias_tools() -> None:
    model = "NVIDIA H100 80GB HBM3"
    known = {"0000:00:06.0": Known(uuid=uuid(9), model=model)}
    assert parse.gpus([H100], known=known) == (
        Gpu(pci="0000:00:06.0", uuid=uuid(9), model=model, driver="580.159.04"),
    )


def test_parts_belong_to_the_gpu_with_their_uuid() -> None:
    parts = {uuid(1): PARTS}
    assert parse.gpus([raw(0), raw(1)], parts=parts) == (gpu(0), split(1, *PARTS))


@pytest.mark.parametrize("gpu", [None, {}, {"cards": None, "total": 0}, {"cards": []}])
def test_a_host_without_any(gpu: dict[str, Any] | None) -> None:
    assert asked(Place(url=URL), {"gpu": gpu}) == ()


def test_of_this_machines_own_gpus_its_kernel_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def graphics_cards(root: Path) -> tuple[dict[str, Any], ...]:
        seen.append(root)
        return (raw(0, nvidia=None, product=None),)

    def known_gpus(proc: Path) -> dict[str, Known]:
        seen.append(proc)
        return {PCI[0]: NINTH}

    monkeypatch.setattr(gpus, "graphics_cards", graphics_cards)
    monkeypatch.setattr(gpus, "known_gpus", known_gpus)
    monkeypatch.setattr(gpus, "parts_of_gpus", lambda _: {uuid(9): PARTS[:1]})
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json=HELLO)
        place = Place(socket=Path("/run/unix.socket"))
        rest = Rest(handshake(place, URL, tls_session(None, None)))
        found = Client(rest, "default").gpus()
        assert {request.path for request in http.request_history} == {"/1.0"}
    assert found == (split(0, *PARTS[:1], uuid=uuid(9), model="nine"),)
    assert seen == [Path("/"), Path("/proc/driver/nvidia")]
    # They count for its own LXD alone.
    told = {"gpu": {"cards": [raw(0, nvidia=None)]}}
    assert asked(Place(url=URL), told) == (gpu(0, uuid=None, model=PRODUCT),)
    assert len(seen) == 2


def asked(place: Place, resources: dict[str, Any]) -> tuple[Gpu, ...]:
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json=HELLO)
        http.get(f"{URL}/1.0/resources", json={"type": "sync", "metadata": resources})
        return Client(Rest(handshake(place, URL, tls_session(None, None))), "default").gpus()


RACE = {
    "type": "error",
    "error_code": 500,
    "error": "Failed to retrieve network information: bad file descriptor",
}


@pytest.mark.parametrize(("failures", "told"), [(2, "0000:31:00.0"), (9, "LXD could not list")])
def test_a_listing_that_races_with_a_nic_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, failures: int, told: str
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    right = {"json": {"type": "sync", "metadata": {"gpu": {"cards": [raw(0)]}}}}
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json=HELLO)
        wrong = {"json": RACE, "status_code": 500}
        http.get(f"{URL}/1.0/resources", [*([wrong] * failures), right])
        lxd = Client(Rest(handshake(Place(url=URL), URL, tls_session(None, None))), "default")
        try:
            said = lxd.gpus()[0].pci
        except LxdError as error:
            said = error.brief
    assert said.startswith(told)
    assert len(waits) == min(failures, 5)


def test_the_simulated_host() -> None:
    assert parse.gpus([raw(number) for number in range(4)]) == FOUR
