"""What a user added to a root is named at an upgrade, and installed again on request."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.dpkg import STATUS, manual
from lab.errors import LxdError
from lab.lxd.model import Completed
from provision.lab_info import LINE
from provision.upgrade.added import Inside, added_packages
from provision.upgrade.etc import changed_files
from provision.upgrade.root_file import read_root_file
from provision.upgrade.upgrade import failure
from tests.support.builders.stamping import (
    inside,
)
from tests.support.builders.upgrading import (
    HOST_KEY,
    NEW,
    a_lab_with_a_newer_release,
    has,
    run,
    run_well,
    told,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab_with_a_newer_release()


def test_what_cannot_be_read_is_left_out(lxd: FakeLxd) -> None:
    """As a pipe in place of a host key, which is not opened."""
    with pytest.raises(LxdError, match="cannot be read while it runs"):
        read_root_file(lxd, lxd.instances()[0], HOST_KEY, 100)
    lxd.stop("bob")
    assert read_root_file(lxd, lxd.instances()[0], HOST_KEY, 100) == b"secret of bob"
    assert read_root_file(lxd, lxd.instances()[0], "/etc/none", 100) is None


def test_files_on_this_machine_are_read_from_its_directory(lxd: FakeLxd, tmp_path: Path) -> None:
    root = tmp_path / "no-lxd/storage-pools/default/containers/bob/rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc/plain").write_bytes(b"12345")
    os.mkfifo(root / "etc/pipe")
    (root / "etc/link").symlink_to("/etc/shadow")
    (instance,) = lxd.instances()
    assert read_root_file(lxd, instance, "/etc/plain", 5) == b"12345"
    assert read_root_file(lxd, instance, "/etc/none", 5) is None
    for path, most in (("/etc/pipe", 5), ("/etc/link", 5), ("/etc/plain", 3)):
        with pytest.raises(LxdError, match=f"{path} in bob cannot be read"):
            read_root_file(lxd, instance, path, most)


def test_packages_that_the_user_added_are_installed_on_request(lxd: FakeLxd) -> None:
    assert "packages added by hand: htop; they are installed again" in told(lxd, reinstall=True)[0]
    run_well(lxd)
    has(lxd, "bob", "bash")
    assert told(lxd, reinstall=True) == ["bob: install htop"]
    run_well(lxd, reinstall=True)
    installs = [argv[-2:] for argv in inside(lxd).ran if argv[0] == "apt-get"]
    assert installs == [("Dpkg::Options::=--force-confold", "update"), ("install", "htop")]
    has(lxd, "bob", "bash", "htop")
    assert told(lxd, reinstall=True) == []


def test_both_at_once(lxd: FakeLxd) -> None:
    inside(lxd).ran.clear()
    has_not = lxd.store.images[f"base-{NEW}"]
    has_not.files[STATUS] = FakeFile(content=b"Package: bash\nStatus: install ok installed\n\n")
    run_well(lxd, reinstall=True)
    assert [argv[-1] for argv in inside(lxd).ran if argv[0] == "apt-get"] == ["update", "htop"]


def test_what_the_archive_does_not_have_is_named(lxd: FakeLxd) -> None:
    run_well(lxd)
    has(lxd, "bob", "bash")

    def apt(name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        failed = argv[0] == "apt-get" and argv[-1] == "htop"
        return Completed(exit_code=100 if failed else 0, stdout="", stderr="E: Unable to locate")

    lxd.on_run = apt
    failed = failure(run(lxd, reinstall=True))
    assert str(failed) == (
        "These packages could not be installed in bob: htop.\n"
        "  E: Unable to locate\n"
        "Next: Correct the cause, then: invoke upgrade bob --reinstall"
    )


def test_who_asked_for_a_package_is_told_by_apts_file() -> None:
    status = "\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in (
            ("bash", "5"),
            ("htop", "3"),
            ("nvidia-smi", "535.261.03-1"),
            ("!", "1"),
        )
    )
    asked = manual(status, "Package: bash\nAuto-Installed: 1\n")
    assert asked == {"htop": "3", "nvidia-smi": "535.261.03-1"}
    # The driver's are brought by labstamp.
    assert added_packages(Inside(manual=asked), {"less"}) == ("htop",)
    assert added_packages(Inside(manual=asked), {"htop"}) == ()
    assert added_packages(Inside(manual=asked), set()) is None


def test_files_of_etc_that_somebody_changed(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    (etc / "ssh").mkdir(parents=True)
    for path in ("hosts", "motd", "fuse.conf", "ssh/ssh_host_rsa_key", "ssh/sshd_config", "nanorc"):
        (etc / path).write_text(path)
    ours = tmp_path / LINE.removeprefix("/")
    ours.parent.mkdir()
    ours.write_text("by labstamp")
    os.utime(etc / "motd", (1, 1))
    os.mkfifo(etc / "pipe")
    (etc / "link").symlink_to("/etc/passwd")
    (etc / "loop").symlink_to(".")
    own = {
        "/etc/fuse.conf": hashlib.md5(b"fuse.conf", usedforsecurity=False).hexdigest(),
        "/etc/nanorc": "0",
    }
    assert changed_files(tmp_path, 1000.0, own) == ("/etc/nanorc", "/etc/ssh/sshd_config")
    with pytest.raises(OSError, match="No such file"):
        changed_files(tmp_path / "missing", 0.0, {})
