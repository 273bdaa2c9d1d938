"""Which way the driver's userland takes into containers, and why."""

from __future__ import annotations

import pytest

from lab.driver.delivery import Chosen, Delivery, choose, instance_config
from lab.errors import InputError
from lab.lxd.model import Server
from lab.settings.driver import DriverSettings
from lab.settings.settings import Settings
from tests.support.builders.four_gpus import FOUR


def server(*extensions: str) -> Server:
    return Server(version="5.21", api_extensions=frozenset(extensions), name="lab")


def told(
    *extensions: str,
    tools: tuple[str, ...] = (),
    asked: str = "auto",
    template: Delivery | None = None,
    remote: str = "local",
    gpus: bool = True,
) -> str:
    settings = Settings(
        remote=remote, driver=DriverSettings.model_validate_json(f'{{"delivery": "{asked}"}}')
    )
    return str(
        choose(
            settings,
            server(*extensions),
            FOUR if gpus else (),
            template=template,
            find=lambda name: f"/usr/bin/{name}" if name in tools else None,
        )
    )


def test_without_gpus_there_is_nothing_to_deliver() -> None:
    assert told("gpu_cdi", tools=("nvidia-ctk",), gpus=False) == (
        "none: the host has no NVIDIA GPU"
    )


@pytest.mark.parametrize(
    ("extensions", "tools", "expected"),
    [
        (
            ("gpu_cdi", "nvidia_runtime"),
            ("nvidia-ctk", "nvidia-container-cli"),
            "cdi: LXD has gpu_cdi and /usr/bin/nvidia-ctk is installed",
        ),
        (
            ("gpu_cdi", "nvidia_runtime"),
            ("nvidia-container-cli",),
            "runtime: LXD has nvidia_runtime and /usr/bin/nvidia-container-cli is installed",
        ),
        (("nvidia_runtime",), (), "image: the host has no nvidia-container-cli"),
        (
            ("gpu_cdi", "nvidia_runtime"),
            (),
            "image: the host has no nvidia-ctk and no nvidia-container-cli",
        ),
        # LXD 6.10 took the runtime out, and the tool may still be there.
        ((), ("nvidia-container-cli",), "image: LXD has neither gpu_cdi nor nvidia_runtime"),
    ],
)
def test_the_best_that_daemon_and_host_can_do(
    extensions: tuple[str, ...], tools: tuple[str, ...], expected: str
) -> None:
    assert told(*extensions, tools=tools) == expected


def test_the_tools_of_lxds_snap_count() -> None:
    assert told("gpu_cdi", tools=("/snap/lxd/current/bin/nvidia-ctk",)).startswith("cdi: ")


def test_the_tools_of_this_machine_say_nothing_of_another() -> None:
    assert told("gpu_cdi", tools=("nvidia-ctk",), remote="https://lab1.example:8443") == (
        "image: LXD is on another machine, and its tools cannot be seen from here"
    )


def test_what_is_asked_for_is_done() -> None:
    assert told("gpu_cdi", asked="image") == "image: set in lab.yaml"
    assert told(asked="none") == "none: set in lab.yaml"
    assert told("nvidia_runtime", asked="image", template=Delivery.RUNTIME) == (
        "runtime: set in the template's definition"
    )


def test_what_the_daemon_cannot_do_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        told("nvidia_runtime", asked="cdi")
    assert str(caught.value) == (
        "LXD 5.21 cannot deliver the driver by cdi: it lacks the API extension gpu_cdi.\n"
        "  It supports: image, runtime.\n"
        "Next: Set `driver: {delivery: auto}` in lab.yaml, and remove `driver:` from the "
        "template's definition."
    )


def test_only_the_runtime_is_configured_on_the_instance() -> None:
    assert instance_config(Delivery.RUNTIME) == {
        "nvidia.runtime": "true",
        "nvidia.driver.capabilities": "all",
    }
    for delivery in (Delivery.IMAGE, Delivery.CDI, Delivery.NONE):
        assert instance_config(delivery) == {}
    assert [one.is_injected for one in Delivery] == [False, True, True, False]
    assert str(Chosen(delivery=Delivery.IMAGE, reason="x")) == "image: x"
