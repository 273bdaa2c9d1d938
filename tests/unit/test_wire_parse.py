"""LXD's JSON, in the odd forms that its versions and its moods send."""

from __future__ import annotations

import pytest

from lab.lxd import parse
from lab.lxd.model import Progress, State


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T20:46:12.315326527Z", "2026-11-21T20:46:12.315326+00:00"),
        ("2026-11-21T20:46:12.5Z", "2026-11-21T20:46:12.500000+00:00"),
        ("2026-11-21T20:46:12Z", "2026-11-21T20:46:12+00:00"),
        ("2026-11-21T21:46:12+01:00", "2026-11-21T21:46:12+01:00"),
        ("2026-11-21T20:46:12", "2026-11-21T20:46:12+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("", "1970-01-01T00:00:00+00:00"),
        (None, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_moments(text: str | None, moment: str) -> None:
    assert parse.moment(text).isoformat() == moment


@pytest.mark.parametrize(
    ("metadata", "progress"),
    [
        (None, None),
        ({}, None),
        ({"progress": {"percent": "3"}}, None),
        (
            {"download_progress": "rootfs: 13% (2.1MB/s)", "progress": {}},
            Progress(text="rootfs: 13% (2.1MB/s)", percent=13),
        ),
        (
            {"create_image_from_container_pack_progress": "Image pack: 512.00MB (20MB/s)"},
            Progress(text="Image pack: 512.00MB (20MB/s)"),
        ),
    ],
)
def test_progress(metadata: dict[str, object] | None, progress: Progress | None) -> None:
    assert parse.progress(metadata) == progress


def test_who_uses_a_volume() -> None:
    urls = [
        "/1.0/instances/bob",
        "/1.0/instances/eve?project=lab-build",
        "/1.0/profiles/default",
        "/1.0/instances/bob/snapshots/s1",
    ]
    volume = parse.volume({"name": "home", "used_by": urls}, pool="default")
    assert volume.used_by == ("bob",)
    assert volume.used_elsewhere == ("eve of the project lab-build",)
    assert parse.named(urls[1], "instances") == ("eve", "lab-build")
    assert parse.named("/1.0", "instances") is None


def test_what_is_missing_or_new_does_not_matter() -> None:
    instance = parse.instance({"name": "bob", "status": "Sleeping", "new": {"field": 1}})
    assert (instance.state, instance.devices, instance.image) == (State.OTHER, {}, None)
    server = parse.server({"environment": None, "api_extensions": None})
    assert (server.version, server.name) == ("", "")
    assert parse.pool({"name": "default"}, None).free_bytes is None


def test_only_the_instances_own_nics_have_addresses_to_tell() -> None:
    def one(address: str, **interface: object) -> dict[str, object]:
        address_ = {"family": "inet", "address": address, "scope": "global"}
        return {"addresses": [address_], **interface}

    state = parse.instance_state(
        {
            "status": "Running",
            "network": {
                "docker0": one("172.17.0.1", host_name=""),
                "eth0": one("10.0.0.2", host_name="veth1"),
                "eth1": one("10.0.1.2", host_name=""),
                "lan": one("10.0.2.2", host_name="veth2"),
                "br-1a2b": one("172.18.0.1"),
            },
            "disk": {"root": {"usage": 7}},
            "processes": -1,
        }
    )
    assert state.ipv4 == ("10.0.0.2", "10.0.1.2", "10.0.2.2")
    assert state.disk_bytes == {"root": 7}
    assert state.processes == 0
