"""Work on containers that was interrupted is told, with the command that continues it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from commands.unfinished import unfinished
from host.check.unfinished import Work, findings
from host.finding import Finding, Status
from lab import labels
from lab.errors import InputError
from lab.machine import lock
from lab.process import me
from provision.unfinished import unfinished_work
from provision.whole import whole_container
from tests.support.builders import renaming, upgrading
from tests.support.builders.death import deaths
from tests.support.builders.lost_files import a_lab_with_losses, back
from tests.support.builders.stamping import a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

Act = Callable[[FakeLxd], object]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)


def made(lxd: FakeLxd) -> object:
    return stamp(lxd, bob())


WORK: dict[str, tuple[Callable[[], FakeLxd], Act, str]] = {
    "the making": (a_lab, made, "invoke provision bob"),
    "the upgrade": (
        upgrading.a_lab_with_a_newer_release,
        upgrading.run_well,
        "invoke upgrade bob",
    ),
    "the renaming from bob to robert": (
        renaming.a_lab_of_bob,
        renaming.run,
        "invoke rename bob robert",
    ),
    "the restore from good": (a_lab_with_losses, back, "invoke restore bob good"),
}


def refused(lxd: FakeLxd) -> Iterator[str]:
    """The containers on which nothing else works."""
    for name in ("bob", "robert"):
        if ("default", name) in lxd.store.instances:
            try:
                whole_container(lxd, name)
            except InputError:
                yield name


@pytest.mark.parametrize("work", WORK)
def test_what_stops_other_commands_is_told(work: str) -> None:
    lab, act, command = WORK[work]
    told = 0
    for dead in deaths(lab(), act, least=4, inside=True):
        found = unfinished_work(dead)
        assert {(one.work, one.command, one.at_work) for one in found} <= {(work, command, False)}
        assert len(found) <= 1
        if any(refused(dead)):
            assert found
        told += len(found)
    assert told > 2


def test_a_driver_that_is_being_changed_is_told() -> None:
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.store.instances["default", "bob"].config[labels.SYNC] = f"{me()} -"
    (one,) = unfinished(lxd)
    assert (one.what, one.command) == ("the change of its driver", "invoke sync-drivers bob")
    assert one.at_work


def test_what_goes_on_is_no_fault() -> None:
    lxd = a_lab()
    stamp(lxd, bob())
    instances = lxd.instances()

    def judged(at_work: Sequence[bool | None]) -> list[Finding]:
        work = [
            Work(name="bob", what="the upgrade", who="process 4711", at_work=one, command="again")
            for one in at_work
        ]
        return list(findings(work, instances))

    assert [one.status for one in judged([True])] == [Status.OK]
    assert [
        (one.subject, one.status, one.found, one.fix) for one in judged([True, False, None])
    ] == [
        ("bob", Status.WARN, "the upgrade was interrupted (process 4711)", "again"),
        ("bob", Status.WARN, "the upgrade may have been interrupted (process 4711)", "again"),
    ]
    assert list(findings((), ())) == []
