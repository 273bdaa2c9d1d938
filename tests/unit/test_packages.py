"""What is installed in a release, and what differs from another one."""

from __future__ import annotations

import base64
import random
import subprocess
import zlib
from dataclasses import replace

import pytest

from commands.views.releases import of_difference
from images.releases.compare import diff_images
from images.releases.packages import Change, changes
from lab import labels
from lab.dpkg import conffiles, installed, packed, unpacked
from lab.errors import InputError
from lab.release import PACKAGES
from tests.support.builders.releases import PREFIX, Shelf
from tests.support.builders.stamping import a_lab, bob, stamp

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10
Description: GNU C Library
 Version: 1 is not a field but a line of the text

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9+deb12u10

Package: vim
Status: deinstall ok config-files
Architecture: amd64
Version: 2:9.0

Package: libnvidia-compute
Status: hold ok installed
Architecture: amd64
Version: 535.261.03-1

Package: broken
Status: install ok half-configured
Architecture: all
Version: 1
"""

_BOMB = base64.b64encode(zlib.compress(bytes(64 << 20))).decode()


def test_the_sums_of_configuration_files_are_understood() -> None:
    status = (
        "Package: base-files\nConffiles:\n /etc/issue 6c15 obsolete\n /etc/debian_version 0f\n"
        "Description: x\n /etc/none 1\n"
    )
    assert conffiles(status) == {"/etc/issue": "6c15", "/etc/debian_version": "0f"}


def test_dpkgs_own_file_is_understood() -> None:
    assert installed(STATUS) == {
        "libc6:amd64": "2.36-9+deb12u10",
        "libc6:i386": "2.36-9+deb12u10",
        "libnvidia-compute": "535.261.03-1",
    }
    assert installed("") == {}


def test_a_list_survives_packing_and_a_desktops_is_small_enough() -> None:
    # From random words, which pack worse than real names do.
    dice = random.Random(1)  # noqa: S311
    desktop = {f"lib{dice.getrandbits(40):x}": f"1.{dice.getrandbits(20)}-1" for _ in range(1200)}
    assert unpacked(packed(desktop)) == desktop
    assert len(packed(desktop)) < 32_000


@pytest.mark.parametrize(
    "value",
    [
        *("", "nonsense", "AAAA", "eJ", "\0", packed({"a": "1"} | {"b" * 9999: "2"})[:-8], _BOMB),
        # What a terminal would act on, and a number that Python does not read.
        *(packed({"a": "\x1b[2J"}), packed({"a b": "1"}), packed({"a": "9" * 5000})),
    ],
)
def test_what_was_not_packed_here_is_refused(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        unpacked(value)


def test_changes_have_a_kind() -> None:
    old = {"curl": "7.88", "nano": "7.2", "xrdp": "0.9.21-1+b1", "zsh": "5.9"}
    new = {"curl": "8.0", "htop": "3.2", "xrdp": "0.9.21-1", "zsh": "5.9"}
    assert [str(change) for change in changes(old, new)] == [
        "upgraded   curl 7.88 → 8.0",
        "added      htop 3.2",
        "removed    nano 7.2",
        "downgraded xrdp 0.9.21-1+b1 → 0.9.21-1",
    ]


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    dice = random.Random(2)  # noqa: S311
    for _ in range(150):
        old, new = (
            dice.choice(["", "1:", "0:"])
            + dice.choice("0123")
            + "".join(dice.choice("0019az.+~") for _ in range(dice.randint(0, 6)))
            + dice.choice(["", "-1", "-1~bpo"])
            for _ in range(2)
        )
        older = subprocess.run(["dpkg", "--compare-versions", old, "lt", new], check=False)
        kind = Change(package="x", old=old, new=new).kind
        assert (kind == "upgraded") == (older.returncode == 0), (old, new)


def test_versions_that_are_not_debians_are_ordered_all_the_same() -> None:
    assert Change(package="x", old="1_a", new="1_b").kind == "upgraded"
    assert Change(package="x", old="1.0", new="").kind == "downgraded"


def test_a_status_of_one_line_is_no_name_of_a_file() -> None:
    assert installed(__file__) == {}


def test_the_current_release_is_compared_with_the_one_before() -> None:
    shelf = Shelf()
    shelf.build("20261121.1", packages={"curl": "7.88", "nano": "7.2"})
    shelf.build("20261122.1", packages={"curl": "7.88"}, current=False)
    shelf.build("20261123.1", packages={"curl": "8.0", "nano": "7.2"})
    assert list(of_difference(diff_images(shelf.lxd, PREFIX, "base"))) == [
        "base 20261121.1 → 20261123.1: 1 upgraded",
        "  upgraded   curl 7.88 → 8.0",
    ]
    other = diff_images(shelf.lxd, PREFIX, "base", "20261123.1", "20261122.1")
    assert list(of_difference(other)) == [
        "base 20261123.1 → 20261122.1: 1 removed, 1 downgraded",
        "  downgraded curl 8.0 → 7.88",
        "  removed    nano 7.2",
    ]
    same = diff_images(shelf.lxd, PREFIX, "base", "20261121.1", "20261121.1")
    assert list(of_difference(same)) == ["base 20261121.1 → 20261121.1: the same packages"]


def test_a_single_release_has_nothing_to_be_compared_with() -> None:
    shelf = Shelf()
    shelf.build("20261121.1")
    with pytest.raises(InputError) as caught:
        diff_images(shelf.lxd, PREFIX, "base")
    assert str(caught.value) == (
        "Fewer than two releases of base have been current.\n"
        "  Its releases:\n"
        "  20261121.1 (current, checks: passed)\n"
        "Next: Name two releases: invoke diff-images base --old V1 --new V2"
    )


def test_a_release_without_a_list_says_so() -> None:
    shelf = Shelf()
    old = shelf.build("20261121.1")
    shelf.build("20261122.1")
    del shelf.lxd.store.images[old].image.properties[PACKAGES]  # type: ignore[attr-defined]
    with pytest.raises(InputError) as caught:
        diff_images(shelf.lxd, PREFIX, "base")
    assert str(caught.value) == (
        "No package list is stored with base 20261121.1.\n"
        "Next: Choose another release: --old or --new"
    )


def test_a_container_does_not_carry_the_list_around() -> None:
    lxd = a_lab()
    kept = lxd.store.images["base-20261121.1"]
    properties = {**kept.image.properties, PACKAGES: packed({"curl": "8.0"})}
    kept.image = replace(kept.image, properties=properties)
    stamp(lxd, bob())
    config = lxd.store.instances["default", "bob"].config
    assert "image.lab.template" in config
    assert labels.PACKAGES not in config
