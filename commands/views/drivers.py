"""`invoke drivers` for people and for programs. Pure: from a survey."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.driver.delivery import Delivery
from provision.drivers.survey import InContainer, Survey

COLUMNS = ("what", "name", "state", "delivery", "driver", "")
_FITS, _DRIFTS = "fits", "drifts"


def document(survey: Survey) -> dict[str, Any]:
    """The JSON (stable)."""
    return {
        "host": survey.host.driver,
        "delivery": survey.host.chosen().delivery.value,
        "images": [
            {
                "template": each.template,
                "version": each.version,
                "driver": each.driver,
                "delivery": each.delivery.value,
                "drift": each.drift,
            }
            for each in survey.releases
        ],
        "containers": [
            {
                "name": each.name,
                "driver": each.driver,
                "delivery": each.delivery.value,
                "drift": each.drift,
                "trouble": each.trouble,
            }
            for each in survey.containers
        ],
    }


def of_host(survey: Survey) -> tuple[str, list[tuple[str, str]], list[str]]:
    """A summary: title, rows, lines below."""
    host = survey.host
    rows = [
        ("driver", host.driver or "no NVIDIA kernel module"),
        ("gpus", str(len(host.gpus)) if host.gpus else "no NVIDIA GPU"),
        ("delivery", str(host.chosen())),
    ]
    return "host", rows, []


def rows(survey: Survey) -> Iterator[tuple[str, ...]]:
    host = survey.host.driver
    for release in survey.releases:
        yield (
            "release",
            f"{release.template} {release.version}",
            "current",
            release.delivery.value,
            release.driver or _without(release.delivery),
            _judged(host, release.driver, drift=release.drift),
        )
    for container in survey.containers:
        yield (
            "container",
            container.name,
            container.state.value,
            container.delivery.value,
            container.driver or _without(container.delivery),
            _state_of(host, container),
        )


def advice(survey: Survey) -> Iterator[str]:
    """What to say below the table: how it stands, and the commands to type next."""
    host = survey.host.driver
    if host is None:
        yield "No NVIDIA kernel module is loaded on the host: there is no version to compare with."
        return
    stale = [each for each in survey.releases if each.drift]
    drifting = [each for each in survey.containers if each.drift or each.mark]
    if not stale and not drifting:
        yield f"Everything fits the host's driver {host}."
        return
    if stale:
        yield f"{_count(len(stale), 'release')} not at {host}. Next: invoke build-images"
    mendable = [each for each in drifting if each.delivery is not Delivery.NONE]
    if mendable:
        yield f"{_count(len(mendable), 'container')} not at {host}. Next: invoke sync-drivers"
    if len(mendable) < len(drifting):
        names = ", ".join(each.name for each in drifting if each not in mendable)
        yield f"Their users install the driver (delivery none): {names}"


def _without(delivery: Delivery) -> str:
    """In the place of a version where there is none inside."""
    return "at each start" if delivery.is_injected else "none"


def _state_of(host: str | None, container: InContainer) -> str:
    if container.trouble is not None:
        return container.trouble
    if container.mark is not None:
        return "being synced, or the sync was interrupted"
    return _judged(host, container.driver, drift=container.drift)


def _judged(host: str | None, driver: str | None, *, drift: bool) -> str:
    if drift:
        return _DRIFTS
    return _FITS if host is not None and driver is not None else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun} is" if number == 1 else f"{number} {noun}s are"
