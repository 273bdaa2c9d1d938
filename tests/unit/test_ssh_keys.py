"""Keys on the root disk: what is written before the first start, and what sshd makes of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.instances.ssh_keys import CONFIG, DROP_IN, give_keys, includes_drop_ins, revocation_list
from lab.lxd.model import InstanceSpec
from tests.support.builders.public_keys import ed25519, fingerprint
from tests.support.builders.stamping import a_lab
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile

KEYS = "/etc/ssh/labstamp/keys/bob"
REVOKED = "/etc/ssh/labstamp/revoked"
READS = "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 /etc/ssh/labstamp/keys/%u"
DEBIAN = "\n# OpenBSD\nInclude /etc/ssh/sshd_config.d/*.conf\n#AuthorizedKeysFile .ssh/keys\n"


@pytest.fixture
def lxd() -> FakeLxd:
    lxd = a_lab()
    image = next(iter(lxd.store.images))
    lxd.create(InstanceSpec(name="bob", image=image))
    lxd.store.instances["default", "bob"].files[CONFIG] = FakeFile(content=DEBIAN.encode())
    return lxd


def given(lxd: FakeLxd, *revoked: str) -> dict[str, str]:
    """What is written, by path."""
    give_keys(lxd, "bob", "bob", [ed25519(1), ed25519(2)], revoked)
    files = lxd.store.instances["default", "bob"].files
    assert all((file.uid, file.gid, file.mode) == (0, 0, 0o644) for file in files.values())
    return {path: file.content.decode("latin-1") for path, file in files.items()}


def test_they_stand_in_a_file_of_roots_own(lxd: FakeLxd) -> None:
    files = given(lxd)
    assert files[KEYS] == f"{ed25519(1)}\n{ed25519(2)}\n"
    assert files[DROP_IN].splitlines()[1:] == [READS]
    assert files[CONFIG] == DEBIAN
    assert REVOKED not in files


def test_earlier_ones_are_revoked(lxd: FakeLxd, tmp_path: Path) -> None:
    files = given(lxd, fingerprint(ed25519(3)), fingerprint(ed25519(4)))
    assert files[DROP_IN].splitlines()[1:] == [READS, f"RevokedKeys {REVOKED}"]
    (tmp_path / "revoked").write_bytes(files[REVOKED].encode("latin-1"))
    assert [judged(tmp_path, number) for number in (1, 2, 3, 4)] == [
        "ok",
        "ok",
        "REVOKED",
        "REVOKED",
    ]


def judged(place: Path, number: int) -> str:
    """What OpenSSH itself reads in the list."""
    (place / "key.pub").write_text(ed25519(number))
    argv = ["ssh-keygen", "-Q", "-f", str(place / "revoked"), str(place / "key.pub")]
    said = subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return said.stdout.split()[-1]


def test_what_is_no_fingerprint_goes_into_no_list() -> None:
    with pytest.raises(ValueError, match="SHA256:no"):
        revocation_list(["SHA256:no way"])


@pytest.mark.parametrize(
    ("config", "included"),
    [
        (DEBIAN, True),
        ("include sshd_config.d/*.conf\n", True),
        ("Include=/etc/ssh/sshd_config.d/*.conf", True),
        ("Port 22\n#Include /etc/ssh/sshd_config.d/*.conf\n", False),
        ("Include /etc/ssh/other.d/*.conf\n", False),
        ("AuthorizedKeysFile .ssh/keys\n" + DEBIAN, False),
        ("Match User bob\n" + DEBIAN, False),
        ("", False),
    ],
)
def test_where_sshd_looks(lxd: FakeLxd, config: str, included: bool) -> None:  # noqa: FBT001
    assert includes_drop_ins(config) == included
    lxd.store.instances["default", "bob"].files[CONFIG] = FakeFile(content=config.encode())
    files = given(lxd)
    if included:
        assert files[CONFIG] == config
    else:
        # Of two values the first counts.
        assert files[CONFIG].splitlines()[1] == READS
        assert files[CONFIG].endswith(config)
        assert DROP_IN not in files


def test_without_a_config_of_its_own_sshd_has_the_distributions(lxd: FakeLxd) -> None:
    del lxd.store.instances["default", "bob"].files[CONFIG]
    assert READS in given(lxd)[DROP_IN]
