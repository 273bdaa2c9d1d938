"""Containers as their users meet them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import make_key
from tests.support.live_lab.lab import Lab, Said, lxc, query, ssh, stable
from tests.support.live_lab.making import PREFIX

# With GPUs: test_gpus.
pytestmark = pytest.mark.plain

Pair = tuple[dict[str, Any], dict[str, Any]]


def _in(container: dict[str, Any], key: Path, command: str, stdin: str = "") -> Said:
    return ssh(container["ipv4"][0], container["owner"], key, [command], stdin=stdin)


def test_provision_tells_all_that_show_tells_and_the_password_once(lab: Lab, pair: Pair) -> None:
    made = dict(pair[0])
    password = made.pop("password")
    assert len(password) >= 16
    shown = lab.succeed("show", "lt-ann", "--json").document
    assert set(made) == set(shown)
    assert made["access"] == shown["access"]
    assert shown["access"]["ssh"] == f"ssh lt-ann@{shown['ipv4'][0]}"
    assert shown["cpus"] == 1
    assert shown["memory_bytes"] == 2 * 1024**3
    assert shown["disk_bytes"] == 6 * 1024**3
    assert shown["template"] == "docker-nested"
    assert shown["gpus"] == made["gpus"]
    listed = lab.succeed("list", "--json").document["containers"]
    assert "lt-ann" in [one["name"] for one in listed]
    gpus = {"host_driver", "delivery", "cards", "missing_cards", "mend"}
    in_full = {"access", "own_keys", "volumes", "snapshots", "kept_root", "shares", "profile"}
    in_full |= {"groups"}
    assert set(listed[0]) == set(shown) - in_full - gpus


def test_the_password_is_nowhere_in_lxd(lab: Lab, pair: Pair) -> None:
    everything = lxc("query", "/1.0/instances/lt-ann?recursion=1")
    assert pair[0]["password"] not in everything


def test_the_user_logs_in_by_key_and_is_root_by_sudo(pair: Pair, key: Path) -> None:
    said = _in(pair[0], key, "id -un; id -Gn; sudo -n true && echo root; nproc; cat /etc/timezone")
    lines = said.out.splitlines()
    assert lines[0] == "lt-ann", said.err
    assert {"sudo", "docker"} <= set(lines[1].split())
    assert lines[2:4] == ["root", "1"]
    assert lines[4] == Path("/etc/timezone").read_text().strip()


def test_docker_runs_inside(pair: Pair, key: Path) -> None:
    script = """
        set -e
        tar -ch /bin/sh /bin/echo /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 \
            2>/dev/null | sudo docker import - lt:1 >/dev/null
        sudo docker run --rm lt:1 /bin/sh -c 'echo "from docker"'
    """
    said = _in(pair[0], key, script)
    assert said.out.strip() == "from docker", said.err


def test_a_root_stops_at_its_quota(pair: Pair, key: Path) -> None:
    said = _in(
        pair[1],
        key,
        "sudo dd if=/dev/urandom of=/var/big bs=1M count=7000 oflag=direct status=none; "
        "sudo stat -c %s /var/big; sudo rm -f /var/big",
    )
    assert "Disk quota exceeded" in said.err
    written = int(said.out.strip())
    assert 3 * 1024**3 < written < 6 * 1024**3


def test_two_of_one_release_share_no_identity(pair: Pair, key: Path) -> None:
    asked = "cat /etc/machine-id; cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub; hostname -I"
    first, second = (_in(one, key, asked).out.splitlines() for one in pair)
    assert len(first) == len(second) == 3
    assert len(first[0]) == 32
    assert [a for a, b in zip(first, second, strict=True) if a == b] == []


def test_nothing_of_the_builder_is_left(pair: Pair, key: Path) -> None:
    looked = _in(
        pair[0],
        key,
        "sudo find /var/lib/apt/lists /var/cache/apt/archives -type f ! -name lock;"
        "sudo find /root -name '.*history';"
        "sudo ls /var/lib/cloud/instances | wc -l;"
        "sudo grep -rl 'builder[-]' /var/log /etc/hosts /etc/hostname /var/lib/cloud 2>/dev/null;"
        "sudo cat /var/lib/cloud/instance/user-data.txt | grep -c packages:",
    )
    assert looked.out.split() == ["1", "0"]


def test_the_same_request_again_changes_nothing(lab: Lab, pair: Pair, key: Path) -> None:
    before = query("/1.0/instances/lt-ann")
    again = lab.succeed(
        "provision",
        "lt-ann",
        *("--template", "docker-nested", "--key", str(key.with_suffix(".pub"))),
        *("--disk", "6GiB", "--memory", "2GiB", "--cpus", "1", "--password", "--json"),
    ).document
    assert "password" not in again
    assert query("/1.0/instances/lt-ann")["config"] == before["config"]


def test_another_request_says_what_differs_and_stops(lab: Lab, pair: Pair, key: Path) -> None:
    said = lab.invoke(
        "provision",
        "lt-ann",
        *("--template", "docker", "--key", str(key.with_suffix(".pub"))),
        *("--disk", "6GiB", "--memory", "4GiB", "--cpus", "1", "--password"),
    )
    assert said.code == 2
    assert "memory: 2.0 GiB now, 4.0 GiB requested" in said.err


def test_stop_start_and_restart(lab: Lab, pair: Pair, key: Path) -> None:
    lab.succeed("stop", "lt-ben")
    assert lab.succeed("show", "lt-ben", "--json").document["state"] == "Stopped"
    lab.succeed("start", "lt-ben")
    lab.succeed("restart", "lt-ben")
    shown = lab.succeed("show", "lt-ben", "--json").document
    assert shown["state"] == "Running"
    assert shown["ipv4"] == pair[1]["ipv4"]


def test_destroy_keeps_the_home_and_the_next_container_has_it(
    lab: Lab, key: Path, tmp_path: Path
) -> None:
    new, mine = make_key(tmp_path / "new"), make_key(tmp_path / "mine")
    public = key.with_suffix(".pub").read_text()
    first = lab.succeed("provision", "lt-cid", "--key", str(key.with_suffix(".pub")), "--json")
    # As earlier versions did: the key in the home, and nothing about it on the volume.
    assert _in(first.document, key, "umask 77; cat > ~/.ssh/authorized_keys", public).code == 0
    lxc("storage", "volume", "unset", "default", "home-lt-cid", "user.lab.keys")
    own = mine.with_suffix(".pub").read_text()
    writes = "cat >> ~/.ssh/authorized_keys; echo kept > ~/note"
    assert _in(first.document, key, writes, own).code == 0
    asked = lab.invoke("destroy", "lt-cid")
    assert asked.code == 2
    told = lab.succeed("destroy", "lt-cid", "--yes").out
    assert "Removed: container lt-cid." in told
    assert "Kept: volume home-lt-cid" in told
    given = str(new.with_suffix(".pub"))
    second = lab.succeed("provision", "lt-cid", "--key", given, "--json").document
    assert _in(second, new, "cat ~/note").out == "kept\n"
    # A key that was taken away lets nobody in, wherever it stands; the user's own does.
    refused = _in(second, key, "true")
    assert (refused.code, "Permission denied" in refused.err) == (255, True)
    assert _in(second, mine, "true").code == 0
    assert lab.succeed("show", "lt-cid", "--json").document["own_keys"] == 1
    told = lab.succeed("destroy", "lt-cid", "--yes", "--purge").out
    assert "Removed: container lt-cid, volume home-lt-cid" in told
    volumes = [one["name"] for one in query("/1.0/storage-pools/default/volumes?recursion=1")]
    assert "home-lt-cid" not in volumes


def test_a_container_of_somebody_else_is_never_touched(lab: Lab) -> None:
    lxc("init", f"{PREFIX}/base", "lt-own")
    try:
        before = query("/1.0/instances/lt-own")
        destroyed = lab.invoke("destroy", "lt-own", "--yes")
        assert (destroyed.code, destroyed.err) == (
            2,
            'error: "lt-own" is an instance that labstamp did not make.\n'
            "  It was not changed.\n"
            "Next: Use lxc to work on it.\n",
        )
        provisioned = lab.invoke("provision", "lt-own", "--password")
        assert (provisioned.code, provisioned.err) == (
            2,
            'error: The name "lt-own" is taken by an instance that labstamp did not make.\n'
            "  It was not changed.\n"
            "Next: Choose another name; lxc list shows which are taken.\n",
        )
        assert query("/1.0/instances/lt-own") == before
    finally:
        lxc("delete", "--force", "lt-own")
    assert stable(f"{PREFIX}/base")


def test_names_that_are_taken_are_told_before_anything_is_made(lab: Lab, pair: Pair) -> None:
    release = query(f"/1.0/images/{stable(f'{PREFIX}/docker-nested')}")
    named = set(release["properties"]["lab.accounts"].split())
    inside = lxc("exec", "lt-ann", "--", "cut", "-d:", "-f1", "/etc/passwd", "/etc/group").split()
    assert set(inside) - {"lt-ann"} == named
    assert {"docker", "messagebus", "sudo", "voice"} <= named
    for arguments, told in (
        (("voice",), '"voice" cannot be an account. That name belongs to the system.'),
        (("LT-ANN", "--account", "ann"), "For LXD and DNS they are the same name."),
        (("lt-张三",), "Write it in Latin letters, as in pinyin: zhang-san"),
    ):
        said = lab.invoke("provision", *arguments, "--password")
        assert (said.code, told in said.err) == (2, True), said.err
    pool = query("/1.0/instances/lt-ann")["expanded_devices"]["root"]["pool"]
    volumes = [
        path.rsplit("/", 1)[1] for path in query(f"/1.0/storage-pools/{pool}/volumes/custom")
    ]
    assert not {"home-voice", "home-LT-ANN"} & set(volumes)


def test_an_unknown_template_offers_the_nearest(lab: Lab) -> None:
    said = lab.invoke("provision", "lt-non", "--template", "dokcer", "--password")
    # The desktops are among them where their tests came first.
    released = lab.succeed("images", "--json").document["templates"]
    named = ", ".join(
        one["name"] if one["name"] == one["short"] else f"{one['name']} ({one['short']})"
        for one in sorted(released, key=lambda one: one["name"])
        if one["versions"]
    )
    assert (said.code, said.err) == (
        2,
        'error: There is no release of a template "dokcer".\n'
        f"  Templates with a release: {named}\n"
        'Next: Did you mean "docker"? Then: invoke provision lt-non --template docker\n',
    )
    built = lab.invoke("build-images", "--only", "dokcer")
    assert built.code == 2
    assert 'Did you mean "docker"?' in built.err
