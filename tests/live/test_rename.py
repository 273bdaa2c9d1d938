"""A container gets another name, and somebody else gets a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import make_key
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import Lab, lxc, lxc_ended, query, ssh

pytestmark = pytest.mark.plain

OLD, NEW, COPY, WHOLE = "lt-ren", "lt-named", "lt-copy", "lt-whole"
ACCOUNT = OLD
PREPARE = """
set -e
mkdir -p ~/work && cd ~/work && for i in $(seq 200); do head -c 100 /dev/urandom >f$i; done
sudo sh -c '
    mkdir -p /opt/prepared /root/.ssh /root/.config/gh /var/spool/cron/crontabs
    echo tool >/opt/prepared/tool
    echo SECRET >/root/.ssh/id_ed25519
    echo SECRET >/root/.bash_history
    echo SECRET >/root/.config/gh/hosts.yml
    echo SECRET >/tmp/left
    echo "root:secret" | chpasswd
    useradd -m guest && echo "guest:secret" | chpasswd
'
echo "* * * * * echo SECRET" | sudo tee /var/spool/cron/crontabs/lt-ren >/dev/null
mkdir -p ~/.ssh && echo SECRET >~/.ssh/id_ed25519 && echo SECRET >~/.bash_history
sync
"""
HASHES = "cd /home/*/work && sha256sum f* | sha256sum; stat -c %u:%g f1"
SECRETS = "grep -rlsI SECRET /root /tmp /var/spool /home /etc 2>/dev/null; true"
IDENTITY = r"""
cat /etc/machine-id
cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub
cat /sys/class/net/eth0/address
hostname
cat /etc/hostname
getent hosts "$(hostname)" | cut -d' ' -f1
grep 127.0.1.1 /etc/hosts | tr '\t' ' '
"""


@pytest.fixture(scope="module")
def person(lab: Lab, key: Path) -> Iterator[dict[str, Any]]:
    """Somebody with a prepared system, who has a port and is a member of the lab for long."""
    destroy(lab, [OLD, NEW, COPY, WHOLE])
    made = lab.succeed(*_command(OLD, key), "--json").document
    assert ssh(made["ipv4"][0], ACCOUNT, key, [PREPARE]).code == 0
    port = ("listen=tcp:127.0.0.1:18022", "connect=tcp:127.0.0.1:22")
    lxc("config", "device", "add", OLD, "port", "proxy", *port)
    yield made
    destroy(lab, [OLD, NEW, COPY, WHOLE])


def _command(name: str, key: Path) -> tuple[str, ...]:
    sizes = ("--disk", "4GiB", "--home", "500MiB")
    return ("provision", name, "--gpus", "none", "--key", str(key.with_suffix(".pub")), *sizes)


def _inside(name: str, script: str) -> str:
    return lxc("exec", name, "--", "sh", "-c", script)


def _named() -> str:
    """What the container is called now."""
    return OLD if lxc_ended("info", OLD).returncode == 0 else NEW


def _rename_to(lab: Lab, new: str) -> None:
    old = NEW if new == OLD else OLD
    said = lab.succeed("rename", old, new).err
    assert f"{new}: has the name {new} now, runs at" in said.replace("\n", " "), said


def _ids(name: str) -> tuple[str, ...]:
    config = query(f"/1.0/instances/{name}")["config"]
    keys = ("security.idmap.base", "volatile.idmap.base", "volatile.eth0.hwaddr")
    return tuple(config.get(key, "") for key in keys)


def test_all_goes_with_the_new_name(lab: Lab, person: dict[str, Any], key: Path) -> None:
    before, ids = _inside(OLD, IDENTITY).splitlines(), _ids(OLD)
    hashes, began = _inside(OLD, HASHES), query(f"/1.0/instances/{OLD}")["created_at"]
    _rename_to(lab, NEW)
    after = _inside(NEW, IDENTITY).splitlines()
    # The machine's id, the ssh host key and the MAC address.
    assert after[:3] == before[:3]
    assert after[3:] == [NEW, NEW, "127.0.1.1", f"127.0.1.1 {NEW} {NEW}"], after
    assert (_ids(NEW), _inside(NEW, HASHES)) == (ids, hashes)
    assert query(f"/1.0/instances/{NEW}")["created_at"] == began
    devices = query(f"/1.0/instances/{NEW}")["devices"]
    assert devices["home"]["source"] == f"home-{NEW}"
    assert devices["port"]["type"] == "proxy"
    assert lxc_ended("info", OLD).returncode != 0
    shown = lab.succeed("show", NEW, "--json").document
    assert shown["ipv4"] == person["ipv4"]
    assert ssh(shown["ipv4"][0], ACCOUNT, key, ["hostname"]).out == f"{NEW}\n"
    # And a second time nothing.
    assert (
        lab.succeed("rename", OLD, NEW).out == f"{OLD} already has the name {NEW}; nothing to do.\n"
    )
    assert "nothing was changed" in lab.succeed(*_command(NEW, key)).out
    # Also at the boot after that.
    lab.succeed("restart", NEW)
    assert _inside(NEW, IDENTITY).splitlines() == after


def test_killed_and_started_by_hand_it_keeps_its_host_key(lab: Lab, person: dict[str, Any]) -> None:
    """Between LXD's rename and the end, cloud-init would make other keys."""
    before, hashes = _inside(_named(), IDENTITY).splitlines()[:3], _inside(_named(), HASHES)
    for changes in (3, 5):
        old = _named()
        new = NEW if old == OLD else OLD
        assert killed(lab, changes, "rename", old, new)
        there = _named()
        said = lab.invoke("start", there)
        assert (said.code, f"invoke rename {old} {new}" in said.err) == (2, True), said.err
        lxc_ended("start", there)
        lab.succeed("rename", old, new)
        assert _inside(new, IDENTITY).splitlines()[:4] == [*before, new]
        assert _inside(new, HASHES) == hashes


def test_a_copy_has_the_system_and_nothing_of_its_owner(
    lab: Lab, person: dict[str, Any], key: Path, tmp_path: Path
) -> None:
    source, other = _named(), make_key(tmp_path / "id")
    pid = _inside(source, "cut -d' ' -f22 /proc/1/stat")
    command = ("clone", source, COPY, "--key", str(other.with_suffix(".pub")))
    made = lab.succeed(*command, "--json")
    assert "labstamp cannot know what else is private" in made.err
    # The first goes on.
    assert _inside(source, "cut -d' ' -f22 /proc/1/stat") == pid
    copy = made.document
    mine, theirs = (_inside(name, IDENTITY).splitlines() for name in (source, COPY))
    assert [a for a, b in zip(mine[:5], theirs[:5], strict=True) if a == b] == []
    assert theirs[3:5] == [COPY, COPY]
    assert not set(_ids(source)) & set(_ids(COPY))
    assert _inside(COPY, "cat /opt/prepared/tool; ls /home") == f"tool\n{COPY}\n"
    assert _inside(COPY, SECRETS) == ""
    people = _inside(COPY, "getent passwd 1000 guest lt-ren; grep -c ':[$]' /etc/shadow; true")
    assert [line.split(":")[0] for line in people.splitlines()] == [COPY, "0"]
    assert "port" not in query(f"/1.0/instances/{COPY}")["devices"]
    address = copy["ipv4"][0]
    assert ssh(address, COPY, other, ["sudo -n id -u; whoami"]).out == f"0\n{COPY}\n"
    for account in (ACCOUNT, COPY):
        assert ssh(address, account, key, ["true"]).code != 0
    assert "nothing was changed" in lab.succeed(*command).out
    assert query(f"/1.0/instances/{source}")["devices"]["port"]


def test_a_copy_with_the_home_that_is_killed_while_it_is_cleaned(
    lab: Lab, person: dict[str, Any], tmp_path: Path
) -> None:
    source, other = _named(), make_key(tmp_path / "id")
    command = ("clone", source, WHOLE, "--key", str(other.with_suffix(".pub")), "--with-home")
    # The volume, the container, at rest, started, its script, the cleaning.
    assert killed(lab, 5, *command)
    said = lab.invoke("provision", WHOLE)
    assert (said.code, f"invoke clone {source} {WHOLE}" in said.err) == (2, True), said.err
    made = lab.succeed(*command, "--json").document
    assert _inside(WHOLE, HASHES) == _inside(source, HASHES)
    assert _inside(WHOLE, SECRETS) == ""
    written = ssh(made["ipv4"][0], WHOLE, other, ["pwd; touch work/new && stat -c %U work/f1"])
    assert written.out == f"/home/{WHOLE}\n{WHOLE}\n", written.err
