"""The account of a container: who is in its way, and the text that makes it."""

from pathlib import Path

import pytest
import yaml

from images.build.user_accounts import refuse_without_room
from lab.cloudinit.account import Account, Person, account_text, obstacles, people
from lab.errors import CheckError
from lab.lxd.model import InstanceSpec
from lab.release import Needs
from tests.support.fake_lxd.lxd import FakeLxd

PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nsudo:x:27:\ndocker:x:999:\n"
UBUNTU = "ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n"


def test_nothing_is_in_the_way() -> None:
    assert obstacles(PASSWD, GROUP, ("sudo", "docker")) == ()


@pytest.mark.parametrize(
    ("passwd", "group", "groups", "why"),
    [
        (
            PASSWD + UBUNTU,
            GROUP + "ubuntu:x:1000:\n",
            ("sudo",),
            (
                "the account ubuntu has the uid 1000, which is reserved for the user",
                "the group ubuntu has the gid 1000, which is reserved for the user",
            ),
        ),
        (
            PASSWD,
            GROUP + "lab:x:1000:\n",
            ("sudo",),
            ("the group lab has the gid 1000, which is reserved for the user",),
        ),
        (
            PASSWD + "svc:x:1000:100::/:/bin/false\n",
            GROUP,
            (),
            ("the account svc has the uid 1000, which is reserved for the user",),
        ),
        (PASSWD, GROUP, ("sudo", "dokcer"), ("there is no group dokcer",)),
        (PASSWD, "root:x:0:\n", ("sudo",), ("there is no group sudo",)),
    ],
)
def test_what_is_in_the_way_is_named(
    passwd: str, group: str, groups: tuple[str, ...], why: tuple[str, ...]
) -> None:
    assert obstacles(passwd, group, groups) == why


def test_people_are_told_from_the_system_s_accounts() -> None:
    assert people(PASSWD + UBUNTU + "broken\n") == (
        Person(name="ubuntu", uid=1000, home="/home/ubuntu"),
    )


def test_a_lab_s_own_text_is_taken_and_missing_the_shipped_one(tmp_path: Path) -> None:
    bob = Account(name="bob", keys=("K",), groups=("docker", "sudo"))
    assert bob.all_groups == ("sudo", "docker")
    shipped = account_text(bob)
    assert account_text(bob, tmp_path) == shipped
    assert yaml.safe_load(shipped)["users"][0]["uid"] == 1000
    (tmp_path / "container.yaml.j2").write_text("#cloud-config\nusers: [{{ account | quoted }}]\n")
    assert account_text(bob, tmp_path) == '#cloud-config\nusers: ["bob"]\n'


def test_what_nobody_could_be_provisioned_from_is_not_published() -> None:
    lxd = FakeLxd()
    image = lxd.import_image(Path(__file__), None, properties={})
    lxd.create(InstanceSpec(name="body-x", image=image.fingerprint))
    lxd.write_file("body-x", "/etc/passwd", (PASSWD + UBUNTU).encode())
    lxd.write_file("body-x", "/etc/group", GROUP.encode())
    with pytest.raises(CheckError) as caught:
        refuse_without_room(lxd, "body-x", "x", Needs(groups=("docker",)))
    assert (
        caught.value.details
        == "the account ubuntu has the uid 1000, which is reserved for the user"
    )
    lxd.write_file("body-x", "/etc/passwd", PASSWD.encode())
    refuse_without_room(lxd, "body-x", "x", Needs(groups=("docker",)))
