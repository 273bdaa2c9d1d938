"""What drifts, and what is said of it."""

from __future__ import annotations

import json

import pytest

from commands.views.drivers import advice, document, rows
from lab import labels
from lab.driver.delivery import Delivery, delivery_of_instance
from lab.errors import InputError
from lab.gpus.nvidia_smi import complaint
from lab.host_gpus import HostGpus, read_host_gpus
from lab.lxd.model import Completed, Instance, State
from provision.drivers.survey import Survey, look_at_containers, survey
from tests.support.builders.driven import GPUS, NEW, OLD, driven_lab, give, settings, userland_files
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH


def names_that_drift(lxd: FakeLxd) -> list[str]:
    return [one.name for one in survey(lxd, settings()).containers if one.drift]


@pytest.mark.parametrize(
    ("module", "inside", "delivery", "with_gpus", "fits"),
    [
        (None, OLD, Delivery.IMAGE, True, True),
        (None, None, Delivery.IMAGE, True, True),
        (NEW, OLD, Delivery.IMAGE, False, False),
        (NEW, OLD, Delivery.RUNTIME, True, False),
        (NEW, NEW, Delivery.IMAGE, True, True),
        (NEW, None, Delivery.IMAGE, False, True),
        (NEW, None, Delivery.IMAGE, True, False),
        (NEW, None, Delivery.RUNTIME, True, True),
        (NEW, None, Delivery.NONE, True, True),
    ],
)
def test_what_fits_the_hosts_module(
    module: str | None,
    inside: str | None,
    delivery: Delivery,
    with_gpus: bool,  # noqa: FBT001
    fits: bool,  # noqa: FBT001
) -> None:
    host = HostGpus(gpus=(), driver=module, server=FakeLxd().server(), settings=settings())
    assert host.fits(inside, delivery, with_gpus=with_gpus) is fits


def test_a_container_that_its_user_upgraded_drifts_whatever_the_keys_say() -> None:
    lxd = driven_lab(driver=NEW)
    give(lxd, "ann", NEW)
    give(lxd, "ben", OLD, config={labels.DRIVER: NEW})
    assert names_that_drift(lxd) == ["ben"]


def test_stopped_ones_are_looked_into_unless_their_driver_comes_by_the_start() -> None:
    lxd = driven_lab(driver=NEW)
    give(lxd, "ann", OLD, state=State.STOPPED)
    give(lxd, "ben", OLD, state=State.STOPPED, config={"nvidia.runtime": "true"})
    give(lxd, "cat", OLD, config={labels.DELIVERY: "cdi"})
    found = {one.name: (one.driver, one.drift) for one in survey(lxd, settings()).containers}
    assert found == {"ann": (OLD, True), "ben": (None, False), "cat": (OLD, True)}


def test_gpus_without_a_userland_drift_and_neither_of_both_is_fine() -> None:
    lxd = driven_lab(driver=NEW)
    give(lxd, "ann", None, gpu=GPUS[0].pci)
    give(lxd, "ben", None)
    assert names_that_drift(lxd) == ["ann"]


def test_foreign_instances_and_those_in_the_making_are_left_out() -> None:
    lxd = driven_lab(driver=NEW)
    give(lxd, "ann", OLD, config={labels.PHASE: labels.PREPARING})
    give(lxd, "ben", OLD)
    del lxd.store.instances["default", "ben"].config[labels.OWNER]
    assert survey(lxd, settings()).containers == ()
    with pytest.raises(InputError, match="labstamp did not make"):
        look_at_containers(lxd, read_host_gpus(lxd, settings()), ["ben"])


@pytest.mark.parametrize(
    ("config", "device", "delivery"),
    [
        ({labels.DELIVERY: "cdi"}, {"pci": "0000:b1:00.0"}, Delivery.CDI),
        ({}, {"id": "nvidia.com/gpu=GPU-1"}, Delivery.CDI),
        ({"nvidia.runtime": "true"}, {"pci": "0000:b1:00.0"}, Delivery.RUNTIME),
        ({labels.DELIVERY: "by magic"}, {"pci": "0000:b1:00.0"}, Delivery.IMAGE),
    ],
)
def test_delivery_is_what_was_written_else_what_the_configuration_tells(
    config: dict[str, str], device: dict[str, str], delivery: Delivery
) -> None:
    devices = {"gpu": {"type": "gpu", **device}}
    instance = Instance(
        name="ann",
        state=State.RUNNING,
        config=config,
        expanded_devices=devices,
        created_at=EPOCH,
    )
    assert delivery_of_instance(instance, Delivery.IMAGE) is delivery


def test_the_document_and_the_table() -> None:
    lxd = driven_lab(driver=NEW, released=OLD)
    give(lxd, "ann", OLD)
    give(lxd, "ben", NEW)
    give(lxd, "cat", OLD, config={labels.DELIVERY: "none"})
    found = survey(lxd, settings())
    told = document(found)
    assert told == json.loads(json.dumps(told))
    assert (told["host"], told["delivery"]) == (NEW, "image")
    assert told["images"] == [
        {
            "template": "base",
            "version": "20261121.1",
            "driver": OLD,
            "delivery": "image",
            "drift": True,
        }
    ]
    assert told["containers"] == [
        {"name": "ann", "driver": OLD, "delivery": "image", "drift": True, "trouble": None},
        {"name": "ben", "driver": NEW, "delivery": "image", "drift": False, "trouble": None},
        {"name": "cat", "driver": OLD, "delivery": "none", "drift": True, "trouble": None},
    ]
    assert list(rows(found)) == [
        ("release", "base 20261121.1", "current", "image", OLD, "drifts"),
        ("container", "ann", "Running", "image", OLD, "drifts"),
        ("container", "ben", "Running", "image", NEW, "fits"),
        ("container", "cat", "Running", "none", OLD, "drifts"),
    ]
    assert list(advice(found)) == [
        f"1 release is not at {NEW}. Next: invoke build-images",
        f"1 container is not at {NEW}. Next: invoke sync-drivers",
        "Their users install the driver (delivery none): cat",
    ]


def test_everything_in_step_says_so() -> None:
    lxd = driven_lab(driver=NEW, released=NEW)
    give(lxd, "ann", NEW)
    assert list(advice(survey(lxd, settings()))) == [f"Everything fits the host's driver {NEW}."]


def test_a_host_without_nvidia() -> None:
    lxd = driven_lab(driver=None, released=None)
    give(lxd, "ann", OLD)
    found: Survey = survey(lxd, settings(delivery="auto"))
    assert document(found)["host"] is None
    assert [one["drift"] for one in document(found)["containers"]] == [False]
    assert list(advice(found)) == [
        "No NVIDIA kernel module is loaded on the host: there is no version to compare with."
    ]


def test_one_that_vanishes_meanwhile_is_left_out() -> None:
    lxd = driven_lab(driver=NEW)
    give(lxd, "ann", OLD)
    ann = lxd.instance("ann")
    assert ann is not None
    lxd.instances = lambda: (ann,)  # type: ignore[method-assign]
    del lxd.store.instances["default", "ann"]
    assert survey(lxd, settings()).containers == ()


def said(stdout: str, exit_code: int = 0) -> Completed:
    return Completed(exit_code=exit_code, stdout=stdout, stderr="")


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (said(f"00000000:B1:00.0, {NEW}\n"), None),
        (
            said("Failed to initialize NVML: Driver/library version mismatch\n", 18),
            "nvidia-smi failed with exit code 18: Failed to initialize NVML: Driver/library "
            "version mismatch",
        ),
        (said(""), "nvidia-smi lists none; expected 0000:b1:00.0"),
        (
            said(f"00000000:31:00.0, {NEW}\n00000000:B1:00.0, {NEW}\n"),
            "nvidia-smi lists 0000:31:00.0, 0000:b1:00.0; expected 0000:b1:00.0",
        ),
        (said(f"00000000:B1:00.0, {OLD}\n"), f"nvidia-smi reports driver {OLD}; expected {NEW}"),
    ],
)
def test_what_nvidia_smi_says_is_held_against_what_it_has_to_say(
    answer: Completed, wrong: str | None
) -> None:
    assert complaint(answer, ["0000:b1:00.0"], NEW) == wrong


def test_files_of_the_userland_are_what_the_tests_think() -> None:
    assert all(path.endswith(OLD) for path in userland_files(OLD))
