"""What templates and images may ask LXD for is a list; all else is refused by name."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.allowed import CHARACTER_DEVICES, KEYS, device_objection, granted, key_objection
from lab.errors import InputError
from lab.release import Needs

ROOT = Path(__file__).parents[2]
ISOLATED = "labstamp decides which ids a container has"


@pytest.mark.parametrize("key", KEYS)
def test_each_key_takes_its_example_and_no_nonsense(key: str) -> None:
    name = key.replace("*", "ipv4.ip_forward" if key.startswith("linux") else "note")
    assert key_objection(name, KEYS[key].example) is None
    assert key_objection(name, "\n") is not None
    assert key_objection(name, "1" * 5000) is not None


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("security.privileged", "true", "containers here are unprivileged"),
        ("security.privileged", "YES", "containers here are unprivileged"),
        ("security.idmap.isolated", "true", ISOLATED),
        ("security.idmap.base", "0", ISOLATED),
        ("raw.idmap", "both 0 0", "raw keys bypass LXD's checks"),
        ("raw.of-a-later-lxd", "", "raw keys bypass LXD's checks"),
        ("user.user-data", "#cloud-config", "write a cloud-init source instead"),
        ("cloud-init.vendor-data", "#cloud-config", "write a cloud-init source instead"),
        ("user.lab.owner", "bob", "these names are reserved for labstamp"),
        ("user.lab.", "bob", "these names are reserved for labstamp"),
        ("volatile.idmap.base", "0", "LXD writes these keys itself"),
        (
            "security.syscalls.deny_default",
            "false",
            "it would replace LXD's list of system calls",
        ),
        (
            "linux.sysctl.kernel.core_pattern",
            "|/bin/x",
            "it changes the whole server, not one container; set it on the server",
        ),
        (
            "limits.memory",
            "",
            'must be a size such as 8GiB, or a share such as 50%, not ""',
        ),
        (
            "ubuntu_pro.guest_attach",
            "on",
            "is not on the list of what templates may ask for (docs/templates.md)",
        ),
        (
            "user.",
            "on",
            "is not on the list of what templates may ask for (docs/templates.md)",
        ),
    ],
)
def test_other_keys_and_values_are_refused_with_the_reason(key: str, value: str, why: str) -> None:
    assert key_objection(key, value) == why


@pytest.mark.parametrize(
    "key",
    [
        *("environment.LD_PRELOAD", "environment.NVIDIA_VISIBLE_DEVICES", "environment.PATH"),
        *("limits.kernel.rtprio", "limits.kernel.nice", "limits.network.priority"),
        *("linux.kernel_modules", "linux.sysctl.fs.file-max", "migration.incremental.memory"),
        *("nvidia.runtime", "nvidia.driver.capabilities", "cluster.evacuate"),
        *("security.devlxd.images", "security.protection.delete", "security.protection.shift"),
        *("security.syscalls.allow", "security.syscalls.whitelist", "security.syscalls.deny"),
        *("security.syscalls.intercept.bpf", "security.syscalls.intercept.bpf.devices"),
        *("security.syscalls.intercept.mount", "security.syscalls.intercept.mount.allowed"),
        *("security.syscalls.intercept.sched_setscheduler", "security.idmap.size"),
        *("snapshots.schedule", "snapshots.expiry", "image.lab.needs", "raw.lxc", "Raw.lxc"),
        *(
            "security.nesting ",
            "security.nesting\n",
            "linux.sysctl.net.",
            "user.a b",
            "user.a/../b",
        ),
    ],
)
def test_keys_that_touch_the_server_or_others_are_refused(key: str) -> None:
    for value in ("true", "1", "x", ""):
        assert key_objection(key, value)


@pytest.mark.parametrize("source", CHARACTER_DEVICES)
def test_a_character_device_of_the_list_is_granted(source: str) -> None:
    fine: list[Mapping[str, str]] = [
        {"type": "unix-char", "source": source},
        {"type": "unix-char", "path": source, "mode": "0666", "gid": "44", "required": "false"},
        {"type": "unix-char", "path": source, "source": source, "uid": "0"},
    ]
    assert [device_objection("x", device) for device in fine] == [None, None, None]


FUSE = {"type": "unix-char", "source": "/dev/fuse"}
LXD = {
    "type": "proxy",
    "bind": "instance",
    "mode": "0666",
    "listen": "unix:/srv/api.sock",
    "connect": "unix:/var/lib/lxd/unix.socket",
}


@pytest.mark.parametrize(
    ("name", "device", "why"),
    [
        ("api", LXD, "it would reach the server's own sockets and ports"),
        ("web", {"type": "proxy", "nat": "true"}, "it would reach the server's own"),
        ("rootfs", {"type": "disk", "source": "/", "path": "/mnt"}, "files of the server"),
        ("ann", {"type": "disk", "pool": "default", "source": "home-ann"}, "another user's volume"),
        ("sda", {"type": "unix-block", "source": "/dev/sda"}, "no disks of the server"),
        ("key", {"type": "usb"}, "by hand"),
        ("x", {"type": "pci"}, "by hand"),
        ("x", {"type": "infiniband"}, "by hand"),
        ("x", {"type": "unix-hotplug"}, "by hand"),
        ("x", {"type": "tpm"}, "a program on the server"),
        ("x", {"type": "gpu"}, "by --gpus"),
        ("x", {"type": "nic", "network": "lxdbr0"}, "its NIC"),
        ("nas", {"type": "none"}, "a device that the profile gives"),
        ("x", {"type": "later"}, "is not a device type"),
        ("x", {}, "a device needs a type"),
        ("root", FUSE, "labstamp's own devices"),
        ("gpu-0000-b1-00-0", FUSE, "labstamp's own devices"),
        ("../x", FUSE, "is named by small letters"),
        ("x", {**FUSE, "source": "/dev/sda"}, 'not "/dev/sda"'),
        ("x", {**FUSE, "source": "/dev/fuse/../sda"}, 'not "/dev/fuse/../sda"'),
        ("x", {**FUSE, "path": "/dev/net/tun"}, "must be the same path"),
        ("x", {**FUSE, "path": "/etc/shadow"}, 'not "/etc/shadow"'),
        (
            "x",
            {**FUSE, "major": "8", "minor": "0"},
            "major: not allowed; name the device by `source`",
        ),
        ("x", {**FUSE, "mode": "4666"}, "mode: must be a mode such as 0660"),
        ("x", {"type": "unix-char"}, "`source` is missing"),
    ],
)
def test_other_devices_are_refused_with_the_reason(
    name: str, device: Mapping[str, str], why: str
) -> None:
    assert why in (device_objection(name, device) or "")


def test_what_is_granted_comes_back_and_what_is_not_names_everything() -> None:
    fine = Needs(config={"security.nesting": "true"}, devices={"fuse": FUSE})
    assert granted(fine, "base") is fine
    with pytest.raises(InputError) as caught:
        granted(Needs(config={"raw.lxc": "x", "security.idmap.base": "0"}, devices={"a": LXD}), "b")
    assert caught.value.brief == "b requests settings or devices that containers may not have."
    assert caught.value.details == (
        "raw.lxc: raw keys bypass LXD's checks\n"
        f"security.idmap.base: {ISOLATED}\n"
        "device a: it would reach the server's own sockets and ports"
    )


def test_whoever_makes_instances_of_needs_asks_first() -> None:
    """A module that hands a template's keys or devices to LXD has them from the list."""
    asked, handing = set(), set()
    for wing in ("images", "provision", "host", "commands"):
        for path in (ROOT / wing).rglob("*.py"):
            if path.parent.name == "views":  # prints them
                continue
            tree = ast.parse(path.read_text())
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            if names & {"granted", "objections", "refuse_ungranted"}:
                asked.add(path.name)
            if any(
                isinstance(node, ast.Attribute)
                and node.attr in {"config", "devices"}
                and ast.unparse(node.value).endswith("needs")
                for node in ast.walk(tree)
            ):
                handing.add(path.name)
    # These two have them of Catalog.needs, in images/templates/catalog.py.
    assert handing - {"body.py", "driver_layer.py"} <= asked
    assert {"catalog.py", "runner.py", "instance.py"} <= asked


@pytest.mark.parametrize("language", ["", ".zh-CN"])
def test_the_list_is_in_the_docs(language: str) -> None:
    told = (ROOT / "docs" / f"templates{language}.md").read_text()
    assert [key for key in (*KEYS, *CHARACTER_DEVICES) if f"`{key}`" not in told] == []
