"""The copy is the container from here on. Each step may be done twice."""

from __future__ import annotations

from collections.abc import Mapping

from lab import labels
from lab.lxd.devices import of_type
from lab.lxd.port import Lxd
from provision.changing import put
from provision.homes import FINISHED
from provision.move.becoming import AUTOSTART, PROTECTION
from provision.move.copies import Sides, volumes_of
from provision.move.going_back import drop_snapshots
from provision.moving import MoveMark, arrival_mark


def finish(sides: Sides, mark: MoveMark) -> None:
    """The copy was judged fit; the source gives back what others may have."""
    _finish_there(sides.there, mark)
    drop_snapshots(sides.lxd, mark)
    _give_back(sides.lxd, mark.name)


def _finish_there(there: Lxd, mark: MoveMark) -> None:
    """Nothing where it was finished: its user has had it since."""
    arrival = arrival_mark(there.instance(mark.name))
    if arrival is None or arrival.id != mark.id:
        return
    drop_snapshots(there, mark)
    for home in volumes_of(there, mark.name, mark.id):
        there.update_volume(home.pool, home.name, {**FINISHED, labels.ARRIVAL: None})
    if mark.asleep:
        there.stop(mark.name)
    put(
        there,
        mark.name,
        config={
            labels.PHASE: labels.READY,
            labels.BUILDER: None,
            AUTOSTART: mark.autostart,
            PROTECTION: "true",
            labels.ARRIVAL: None,
        },
    )


def _give_back(lxd: Lxd, name: str) -> None:
    """GPUs, and ports of the server: they are of no use to what is kept."""
    kept = lxd.instance(name)
    if kept is None:
        return
    gone: dict[str, Mapping[str, str] | None] = {
        device: None for kind in ("gpu", "proxy") for device in of_type(kind, kept.devices)
    }
    if gone:
        put(lxd, name, config={labels.GPUS: None}, devices=gone)
