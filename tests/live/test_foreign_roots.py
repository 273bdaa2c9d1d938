"""Roots that people bring: containers they prepared, images they exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_lab.lab import lxc, query
from tests.support.live_lab.removing import remove_instance
from tests.support.live_lab.tiny import Tiny, litter, plainly

pytestmark = pytest.mark.plain

NAME = "ft-byhand"


@pytest.fixture
def byhand(source: dict[str, str]) -> Iterator[str]:
    """As somebody leaves one behind who launched an image with an account in it."""
    remove_instance(NAME)
    lxc("copy", source["name"], NAME)
    _inside("useradd -m -u 1000 ubuntu && cd ~ubuntu && mkdir .ssh && echo K >.ssh/authorized_keys")
    yield NAME
    remove_instance(NAME)


def _inside(command: str) -> None:
    lxc("start", NAME)
    lxc("exec", NAME, "--", "sh", "-c", command)
    lxc("stop", "--force", NAME)


def test_a_root_whose_uid_is_taken_until_it_is_given_back(tiny: Tiny, byhand: str) -> None:
    tiny.set(source={"kind": "instance", "name": byhand})
    said = tiny.lab.invoke("build-images", "--no-smoke")
    told, _, error = plainly(said.err).partition("error: ")
    assert said.code == 5
    assert (
        f"{NAME}, the source, brings into every image:\n"
        "  the account ubuntu (uid 1000)\n"
        "  ssh keys that can log in as ubuntu: 1, in /home/ubuntu/.ssh\n"
    ) in told
    assert error.startswith(
        "tiny: no container could be provisioned from this image; users keep the old one.\n"
        "  the account ubuntu has the uid 1000, which is reserved for the user\n"
        "  the group ubuntu has the gid 1000, which is reserved for the user\n"
        "Next: Keep uid and gid 1000 free where the image comes from"
    )
    assert tiny.release() is None
    # What was put right in the container is in the next build: nobody has to know of a cache.
    _inside("userdel -r ubuntu")
    assert "brings into every image" not in tiny.lab.succeed("build-images").err


def test_an_account_that_a_first_boot_makes_before_the_user_s(tiny: Tiny) -> None:
    """It is in no file of the image, so only an instance tells."""
    tiny.boot_with(
        "write_files:\n"
        "  - path: /etc/systemd/system/early.service\n"
        "    content: |\n"
        "      [Unit]\n"
        "      DefaultDependencies=no\n"
        "      Before=cloud-init.service cloud-init-network.service\n"
        "      [Service]\n"
        "      Type=oneshot\n"
        "      ExecStart=/usr/sbin/useradd --uid 1000 ubuntu\n"
        "      [Install]\n"
        "      WantedBy=sysinit.target\n"
        "runcmd: [systemctl enable early]\n"
    )
    said = tiny.lab.invoke("build-images")
    assert said.code == 5
    assert "  provision: 1000 in passwd is ubuntu, and has to be free" in said.err
    assert tiny.release() is None


def test_an_exported_image_is_a_source_and_stays_what_it_is(tiny: Tiny, tmp_path: Path) -> None:
    tiny.lab.succeed("build-images", "--no-smoke")
    released = tiny.release()
    assert released is not None
    lxc("image", "export", released, str(tmp_path / "exported"))
    (exported,) = tmp_path.glob("exported*")
    tiny.set(source={"kind": "file", "path": str(exported)})
    tiny.lab.succeed("build-images", "--no-smoke")
    # The same file is the same image to LXD, and that one is users'.
    properties = query(f"/1.0/images/{released}")["properties"]
    assert properties["lab.template"] == "tiny"
    assert "lab.source" not in properties
    assert tiny.release() not in (None, released)
    exported.write_bytes(exported.read_bytes()[: 4 << 20])
    said = tiny.lab.invoke("build-images", "--no-smoke")
    assert (said.code, plainly(said.err).partition("error: ")[2].splitlines()[0]) == (
        2,
        f"The source file {exported} is damaged: LXD cannot unpack it.",
    )
    assert litter() == []
