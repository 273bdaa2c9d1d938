"""A key that was asked for once, and is not any more, lets nobody in to a kept home."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from commands.views.containers import of_container
from lab import labels
from lab.errors import LxdError
from lab.report import Silent
from provision import lifecycle
from provision.create.actions import GiveKeys
from provision.keys.own import let_in
from provision.keys.public_key import parse_key
from tests.support.builders.public_keys import ed25519, fingerprint
from tests.support.builders.stamping import SETTINGS, a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

BOB = ("default", "bob")
HOME = ("default", "home-bob")
OLD, NEW, THIRD = ed25519(1), ed25519(2), ed25519(3)


@pytest.fixture
def lxd() -> FakeLxd:
    """Bob's container, made for OLD."""
    lxd = a_lab()
    stamp(lxd, bob(keys=(parse_key(OLD),)))
    return lxd


def destroy(lxd: FakeLxd) -> None:
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())


def anew(lxd: FakeLxd, *asked: str) -> GiveKeys:
    done = stamp(lxd, bob(keys=tuple(map(parse_key, asked))))
    (action,) = (one for one in done.actions if isinstance(one, GiveKeys))
    return action


def test_the_next_container_revokes_it(lxd: FakeLxd) -> None:
    destroy(lxd)
    action = anew(lxd, NEW)
    assert action.revoked == (fingerprint(OLD),)
    assert str(action) == "let bob log in with 1 ssh key, and revoke 1 ssh key used before"
    # And the one after that, both.
    destroy(lxd)
    assert set(anew(lxd, THIRD).revoked) == {fingerprint(OLD), fingerprint(NEW)}


def test_asked_for_again_it_lets_in_again(lxd: FakeLxd) -> None:
    destroy(lxd)
    anew(lxd, NEW)
    destroy(lxd)
    assert anew(lxd, OLD).revoked == (fingerprint(NEW),)


def test_a_home_that_remembers_nothing_learns_it_from_its_container(lxd: FakeLxd) -> None:
    del lxd.store.volumes[HOME][labels.KEYS]  # as earlier versions made it
    destroy(lxd)
    assert lxd.store.volumes[HOME][labels.KEYS] == fingerprint(OLD)
    assert anew(lxd, NEW).revoked == (fingerprint(OLD),)


def test_it_is_written_down_before_the_container_goes(lxd: FakeLxd) -> None:
    del lxd.store.volumes[HOME][labels.KEYS]
    lxd.failures["delete"] = LxdError("No.")
    with pytest.raises(LxdError):
        destroy(lxd)
    assert lxd.store.volumes[HOME][labels.KEYS] == fingerprint(OLD)


def test_what_a_cut_off_run_asked_for_counts(lxd: FakeLxd) -> None:
    dead = f"{socket.gethostname()} 1 7"
    made = {labels.PHASE: labels.PREPARING, labels.BUILDER: dead, labels.CLOSED: "true"}
    lxd.store.instances[BOB].config |= made
    del lxd.store.volumes[HOME][labels.KEYS]
    assert anew(lxd, NEW).revoked == (fingerprint(OLD),)


def test_what_was_cut_off_is_finished_with_its_own_keys(lxd: FakeLxd) -> None:
    destroy(lxd)
    anew(lxd, NEW)
    files = lxd.store.instances[BOB].files
    before = dict(files)
    files.clear()
    dead = f"{socket.gethostname()} 1 7"
    lxd.store.instances[BOB].config |= {labels.PHASE: labels.PREPARING, labels.BUILDER: dead}
    stamp(lxd, bob(keys=(), only_name=True))
    assert files == before


def test_what_an_earlier_version_began_has_its_keys_from_its_first_boot(lxd: FakeLxd) -> None:
    dead = f"{socket.gethostname()} 1 7"
    made = lxd.store.instances[BOB]
    made.config |= {labels.PHASE: labels.PREPARING, labels.BUILDER: dead}
    del made.config[labels.AUTHORIZED]
    made.files.clear()
    stamp(lxd, bob(keys=(), only_name=True))
    assert not [file for file in made.files if file.startswith("/etc/ssh")]


def test_what_is_no_fingerprint_is_passed_over(lxd: FakeLxd) -> None:
    lxd.store.volumes[HOME][labels.KEYS] = "SHA256:short,,root,\n" + fingerprint(THIRD)
    lxd.store.instances[BOB].config[labels.REQUEST] = "[]"
    destroy(lxd)
    assert anew(lxd, NEW).revoked == ()


# ---- those of the user's own --------------------------------------------------------------------


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """~/.ssh of Bob's, on this machine."""
    monkeypatch.setenv("LXD_DIR", str(tmp_path))
    place = tmp_path / "storage-pools/default/custom/default_home-bob/bob/.ssh"
    place.mkdir(parents=True)
    return place


def shown(lxd: FakeLxd) -> tuple[object, object]:
    done = stamp(lxd, bob(keys=(parse_key(OLD),)))
    assert done.summary is not None
    return done.summary["own_keys"], dict(of_container(done.summary)[1]).get("own keys")


@pytest.mark.parametrize(
    ("content", "count", "told"),
    [
        (f"# mine\n{OLD}\n", 0, None),
        (f"\n{OLD}\n{NEW}\n{NEW} again\n", 1, "1 more key can log in"),
        (f'{NEW}\nfrom="10.0.0.0/8",command="a b" {THIRD}\n', 2, "2 more keys can log in"),
    ],
)
def test_they_are_counted(
    lxd: FakeLxd, ssh: Path, content: str, count: int, told: str | None
) -> None:
    (ssh / "authorized_keys").write_text(content)
    text = told and f"{told}, from the user's ~/.ssh/authorized_keys"
    assert shown(lxd) == (count, text)


def test_without_a_file_there_are_none(lxd: FakeLxd, ssh: Path) -> None:
    assert shown(lxd) == (0, None)
    ssh.rmdir()
    assert shown(lxd) == (0, None)


def test_what_a_user_made_of_it_is_neither_followed_nor_waited_for(
    lxd: FakeLxd, ssh: Path, tmp_path: Path
) -> None:
    file = ssh / "authorized_keys"
    os.mkfifo(file)
    assert shown(lxd) == (None, None)
    file.unlink()
    (tmp_path / "theirs").write_text(f"{NEW}\n")
    file.symlink_to(tmp_path / "theirs")
    assert shown(lxd) == (None, None)
    file.unlink()
    with file.open("w") as large:
        large.truncate(3 << 30)
    assert shown(lxd) == (None, None)
    file.unlink()
    file.mkdir()
    assert shown(lxd) == (None, None)


def test_on_another_machine_nobody_can_tell(lxd: FakeLxd) -> None:
    assert shown(lxd) == (None, None)


def test_lines_that_are_no_keys_count_for_themselves() -> None:
    assert let_in("@cert-authority ssh-ed25519-cert AAAA\nrubbish\n#\n") == {
        "@cert-authority ssh-ed25519-cert AAAA",
        "rubbish",
    }
