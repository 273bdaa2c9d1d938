"""Backups in a repository of restic's: by a stand-in for its program, that keeps files by tags."""

from __future__ import annotations

import os
import stat
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from lab.errors import CapacityError, CheckError, Conflict, InputError, LxdError
from lab.report import Silent
from lab.settings.backup import BackupSettings
from provision.backup.directory import Backup, Verdict
from provision.backup.restic import Restic
from provision.backup.run import remove_expired, verify_one
from provision.backup.stores import at_hand, put_into
from provision.backup.verify import Means
from tests.support.builders.backups import lab_with_files, listed, packed, unpacked
from tests.support.builders.stamping import SETTINGS

PASSWORD = "of the lab"
# What restic 0.14 prints, as far as it is read here.
PROGRAM = r"""#!/usr/bin/env python3
import json, os, pathlib, shutil, sys, time
place = pathlib.Path(os.environ["RESTIC_REPOSITORY"])
(place / "argv").open("a").write(repr(sys.argv) + "\n")
words = sys.argv[1:]
verb = words[0]
said = place / "say"
if verb == "unlock":
    stale = place / "stale"
    stale.unlink(missing_ok=True)
    sys.exit(0)
if said.exists() or (place / "stale").exists():
    sys.stderr.write(said.read_text() if said.exists() else "repository is already locked by PID 9")
    sys.exit(1)
while verb == "backup" and (place / "wait").exists():
    (place / "waits").touch()
    time.sleep(0.01)
assert open(os.environ["RESTIC_PASSWORD_FILE"]).read() == "of the lab"
index = place / "index.json"
kept = json.loads(index.read_text()) if index.exists() else []
before = json.dumps(kept)
def write():
    new = place / f"index-{os.getpid()}"
    new.write_text(json.dumps(kept))
    new.replace(index)
if verb == "backup":
    tags = [words[i + 1] for i, word in enumerate(words) if word == "--tag"]
    number = f"{len(kept):08x}"
    shutil.copytree(".", place / number)
    kept.append({"id": number, "tags": tags, "paths": [os.getcwd()]})
    print(json.dumps({"message_type": "summary", "data_added": 7}))
    if (place / "misses").exists():
        write()
        sys.exit(3)
elif verb == "snapshots":
    wanted = set(words[words.index("--tag") + 1].split(","))
    print(json.dumps([one for one in kept if wanted <= set(one["tags"])]))
elif verb == "dump" and (place / "damaged").exists() and words[2].endswith("zst"):
    sys.stderr.write("Fatal: ciphertext verification failed")
    sys.exit(1)
elif verb == "dump":
    sys.stdout.buffer.write((place / words[1] / words[2].lstrip("/")).read_bytes())
elif verb == "tag":
    one = next(one for one in kept if one["id"] == words[-1])
    for i, word in enumerate(words):
        if word == "--remove":
            one["tags"].remove(words[i + 1])
        if word == "--add":
            one["tags"].append(words[i + 1])
elif verb == "forget":
    kept = [one for one in kept if one["id"] not in words]
if json.dumps(kept) != before:
    write()
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    place.mkdir()
    return place


@pytest.fixture
def restic(tmp_path: Path, repository: Path) -> Restic:
    program = tmp_path / "restic"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    password = tmp_path / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    password.chmod(0o600)
    secrets = tmp_path / "env"
    secrets.write_text("# of the store\nAWS_SECRET_ACCESS_KEY=a=b\n", encoding="utf-8")
    secrets.chmod(0o600)
    settings = BackupSettings(password_file=password, env_file=secrets)
    stage = tmp_path / "stage"
    return Restic(f"restic:{repository}", settings, program=str(program), stage=stage, patience=0)


def test_there_and_back(tmp_path: Path, restic: Restic, repository: Path) -> None:
    lxd = lab_with_files(tmp_path)
    made = put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed)
    assert restic.names() == ("bob",)
    (found,) = restic.of("bob")
    assert isinstance(found, Backup)
    assert (found.id, found.manifest) == (made.id, made.manifest)
    assert not list((tmp_path / "stage").rglob("*.zst"))
    with at_hand(restic, SETTINGS, "bob", None, Silent()) as (directory, backup):
        assert directory.of("bob") == (backup,)
        assert backup.archive("home").is_file()
    assert not list((tmp_path / "stage").rglob("*.zst"))
    argv = (repository / "argv").read_text(encoding="utf-8")
    assert (PASSWORD in argv, str(repository) in argv, "a=b" in argv) == (False, False, False)


def test_a_check_is_noted_as_a_tag(tmp_path: Path, restic: Restic, repository: Path) -> None:
    lxd = lab_with_files(tmp_path)
    made = put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed)
    means = Means(unpack=unpacked, list=listed)
    verify_one(lxd, SETTINGS, "bob", restic, Silent(), wanted=made.id, means=means)
    (found,) = restic.of("bob")
    assert isinstance(found, Backup)
    assert found.verdict == Verdict(at="2026-11-21T01:00:00+00:00", good=True)
    (archive,) = repository.glob("*/home.tar.zst")
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(CheckError):
        verify_one(lxd, SETTINGS, "bob", restic, Silent(), wanted=made.id, means=means)
    (found,) = restic.of("bob")
    assert isinstance(found, Backup)
    assert found.verdict is not None
    assert not found.verdict.good


def test_what_is_damaged_in_the_repository_is_noted(
    tmp_path: Path, restic: Restic, repository: Path
) -> None:
    lxd = lab_with_files(tmp_path)
    made = put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed)
    (repository / "damaged").touch()
    with pytest.raises(CheckError, match="is not good") as caught:
        verify_one(lxd, SETTINGS, "bob", restic, Silent(), wanted=made.id)
    assert caught.value.details == "Fatal: ciphertext verification failed"
    (found,) = restic.of("bob")
    assert isinstance(found, Backup)
    assert found.verdict is not None
    assert not found.verdict.good
    assert not list((tmp_path / "stage").rglob("*.zst"))


def test_two_at_once_do_not_take_each_others_files(
    tmp_path: Path, restic: Restic, repository: Path
) -> None:
    lxd = lab_with_files(tmp_path)
    (repository / "wait").touch()

    def back_up() -> None:
        put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed)

    first, second = (threading.Thread(target=back_up) for _ in range(2))
    first.start()
    while not (repository / "waits").exists():
        time.sleep(0.01)
    second.start()
    second.join(timeout=0.3)
    (repository / "wait").unlink()
    for thread in (first, second):
        thread.join()
    stored = [{file.name for file in place.iterdir()} for place in repository.glob("0000*")]
    assert [len(names) for names in stored] == [5, 5]


def test_a_lock_of_a_dead_process_is_removed(restic: Restic, repository: Path) -> None:
    (repository / "stale").touch()
    restic.insist()
    assert not (repository / "stale").exists()


def test_what_restic_stored_in_part_is_forgotten(
    tmp_path: Path, restic: Restic, repository: Path
) -> None:
    lxd = lab_with_files(tmp_path)
    (repository / "misses").touch()
    with pytest.raises(LxdError, match="could not read all files"):
        put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed)
    assert restic.of("bob") == ()


def test_what_killed_runs_fetched_is_removed(tmp_path: Path, restic: Restic) -> None:
    lxd = lab_with_files(tmp_path)
    first = put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed)
    lxd.store.now += timedelta(minutes=1)
    put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed)
    left = tmp_path / "stage/labstamp-backup/bob" / first.id
    left.mkdir(parents=True)
    (left / "root.tar.zst").touch()
    with at_hand(restic, SETTINGS, "bob", None, Silent()):
        assert not left.exists()


def test_expired_ones_are_forgotten(tmp_path: Path, restic: Restic) -> None:
    lxd = lab_with_files(tmp_path)
    made = []
    for _ in range(5):
        lxd.store.now += timedelta(minutes=1)
        made.append(put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed).id)
    remove_expired(SETTINGS, "bob", restic, Silent(), archive=None)
    assert [one.id for one in restic.of("bob")] == made[-3:]


def test_one_that_is_to_be_kept_stays(tmp_path: Path, restic: Restic) -> None:
    lxd = lab_with_files(tmp_path)
    made = []
    for _ in range(5):
        lxd.store.now += timedelta(minutes=1)
        made.append(put_into(restic, lxd, SETTINGS, "bob", Silent(), pack=packed).id)
    for _ in range(2):
        restic.keep("bob", made[0])
    remove_expired(SETTINGS, "bob", restic, Silent(), archive=made[1])
    assert [one.id for one in restic.of("bob")] == [*made[:2], *made[-3:]]


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        ("Fatal: wrong password or no key found", InputError, "password does not open"),
        (
            "Fatal: unable to open config file: stat /x/config: no such file or directory\n"
            "Is there a repository at the following location?\n/x",
            InputError,
            "There is no restic repository",
        ),
        (
            "unable to create lock in backend: repository is already locked by PID 9 on lab1",
            Conflict,
            "is locked by another program",
        ),
        ("unable to create lock in backend: no space left on device", CapacityError, "no room"),
        ("Load(<data/1>): invalid data returned", LxdError, "is damaged"),
        ("write /x/data: no space left on device", CapacityError, "no room"),
        ("Fatal: something else", LxdError, "could not do this: snapshots"),
    ],
)
def test_what_restic_says_is_told(
    restic: Restic, repository: Path, said: str, kind: type[Exception], told: str
) -> None:
    (repository / "say").write_text(said, encoding="utf-8")
    with pytest.raises(kind, match=told):
        restic.insist()


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    password = tmp_path / "password"
    with pytest.raises(InputError, match="cannot be read"):
        Restic("restic:/x", BackupSettings(password_file=password))
    password.write_text(PASSWORD, encoding="utf-8")
    password.chmod(0o640)
    with pytest.raises(InputError, match="Another account may read"):
        Restic("restic:/x", BackupSettings(password_file=password))
    with pytest.raises(InputError, match="password of the restic repository is not known"):
        Restic("restic:/x", BackupSettings())


def test_the_env_file_is_read_strictly(tmp_path: Path) -> None:
    for name, text in (("password", PASSWORD), ("env", "export A=b\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    settings = BackupSettings(password_file=tmp_path / "password", env_file=tmp_path / "env")
    with pytest.raises(InputError, match="env:1: expected NAME=value"):
        Restic("restic:/x", settings)


def test_without_the_program_it_says_how_to_get_it(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    password.chmod(0o600)
    gone = Restic(
        "restic:/x", BackupSettings(password_file=password), program=str(tmp_path / "gone")
    )
    with pytest.raises(InputError, match="restic is not there"):
        gone.insist()
    assert os.getuid() == password.stat().st_uid
