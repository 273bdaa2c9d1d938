"""One container's trouble is a line about that container, in every command that looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from commands.host_units import follow_driver
from commands.views.containers import row
from commands.views.drivers import advice, rows
from host.check.drift import Versions, findings
from host.finding import Status
from lab.errors import LxdError, LxdSilent, LxdUnreachable, Stuck, TooMuch
from lab.lxd.model import Completed, InstanceState
from lab.settings.settings import Settings
from provision.drivers import gpu_processes
from provision.drivers.survey import survey
from provision.listing import containers
from tests.support.builders.driven import NEW, OLD, driven_lab, give, settings
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import OnRun

PIPE = LxdError("LXD could not list /usr/lib/x in ben.", details="/usr/lib/x is not a directory.")
TROUBLES = [
    (PIPE, "could not be inspected: /usr/lib/x is not a directory."),
    (Stuck("Something holds up.", details="More."), "could not be inspected: Something holds up."),
    (TooMuch("Too much to list."), "could not be inspected: Too much to list."),
    (LxdError("No.", details="\x1b[2J\n" * 99), "could not be inspected: " + r"\x1b[2J\n" * 19),
]


@pytest.fixture
def lab() -> FakeLxd:
    lxd = driven_lab(driver=NEW, released=NEW)
    give(lxd, "ann", OLD)
    give(lxd, "ben", NEW)
    return lxd


def trouble_with_ben(lab: FakeLxd, monkeypatch: pytest.MonkeyPatch, error: LxdError) -> None:
    list_directory = lab.list_directory

    def look(name: str, path: str) -> tuple[str, ...]:
        if name == "ben":
            raise error
        return list_directory(name, path)

    monkeypatch.setattr(lab, "list_directory", look)


@pytest.mark.parametrize(("error", "told"), TROUBLES)
def test_drivers_tells_it_and_the_truth_about_the_others(
    lab: FakeLxd, monkeypatch: pytest.MonkeyPatch, error: LxdError, told: str
) -> None:
    trouble_with_ben(lab, monkeypatch, error)
    found = survey(lab, settings())
    table = {line[1]: line[-1] for line in rows(found)}
    assert table["ann"] == "drifts"
    assert table["ben"].startswith(told)
    assert "\x1b" not in table["ben"]
    assert len(table["ben"]) < 300
    assert f"1 container is not at {NEW}. Next: invoke sync-drivers" in advice(found)


@pytest.mark.parametrize("error", [LxdUnreachable("LXD is gone."), LxdSilent("LXD is silent.")])
def test_lxd_itself_in_trouble_is_no_trouble_of_a_container(
    lab: FakeLxd, monkeypatch: pytest.MonkeyPatch, error: LxdError
) -> None:
    trouble_with_ben(lab, monkeypatch, error)
    with pytest.raises(LxdUnreachable):
        survey(lab, settings())


def test_list_shows_what_is_known(lab: FakeLxd, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.store.tells_states = False
    state = lab.state

    def look(name: str) -> InstanceState:
        if name == "ben":
            raise Stuck("LXD timed out after 20 s trying to show the state of ben.")
        return state(name)

    monkeypatch.setattr(lab, "state", look)
    ann, ben = containers(lab, Settings())
    assert (ann["trouble"], ann["memory_used_bytes"]) == (None, 1 << 20)
    assert (ben["trouble"], ben["memory_used_bytes"]) == (
        "LXD timed out after 20 s trying to show the state of ben.",
        None,
    )
    assert (ben["state"], ben["ipv4"], ben["disk_used_bytes"]) == ("Running", [], None)
    assert (ann["told_by"], ben["told_by"]) == ("lxd", None)
    assert row(ben)[-1] == ben["trouble"]


def test_host_check_names_it_beside_what_drifts() -> None:
    every = list(findings(Versions(host=NEW, unseen=(("ben", "could not be inspected: …"),))))
    assert [(one.name, one.subject, one.status, one.found) for one in every[1:]] == [
        ("container-driver", "ben", Status.WARN, "could not be inspected: …")
    ]


def test_the_hook_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []
    versions = Versions(host=NEW, unseen=(("ben", "could not be inspected: …"),))
    follow_driver(versions, build=done.append, sync=lambda: done.append("sync"))
    assert done == []
    assert capsys.readouterr().out.splitlines() == [
        "ben: could not be inspected: …",
        f"Every release and container fits driver {NEW}; nothing to do.",
    ]


def test_who_works_on_gpus_is_told_from_outside(
    lab: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "init_pid", lambda _name: 4711)
    lab.on_run = told("from inside (1)\n")
    everyone = ("a (1)", "b (2)", "c (3)", "d (4)", "e (5)")
    for answer, seen in (
        (everyone, ("a (1)", "b (2)", "c (3)", "2 more")),
        ((), ()),
        # It stopped meanwhile; we are not root; a user made it endless.
        (FileNotFoundError(), ()),
        (PermissionError(), ("from inside (1)",)),
        (TooMuch("Too many files are open."), ("Too many files are open.",)),
    ):
        monkeypatch.setattr(gpu_processes, "users_of", users_of(answer))
        assert gpu_processes.running(lab, "ann") == seen


def told(stdout: str) -> OnRun:
    return lambda _name, _argv, _stdin: Completed(exit_code=0, stdout=stdout, stderr="")


def users_of(answer: tuple[str, ...] | Exception) -> Callable[[int, str], tuple[str, ...]]:
    def look(init: int, prefix: str) -> tuple[str, ...]:
        assert (init, prefix) == (4711, "/dev/nvidia")
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look
