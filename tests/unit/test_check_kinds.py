"""What the kinds of checks ask of an instance, and that each is known wherever kinds are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest

from images.check_kinds import kinds
from images.check_kinds.base import TIMED_OUT, BaseCheck, Question
from images.check_kinds.kinds import Boots, Check, Command, Port, Rdp, Reboot, Ssh
from images.check_kinds.provision import Provision
from lab.lxd.model import Completed

DOCS = Path(__file__).parents[2] / "docs"
UNION = get_args(get_args(Check)[0])
FAILED = ("systemctl", "--failed", "--no-legend", "--plain")


def _kind(check: type[BaseCheck]) -> str:
    (word,) = get_args(check.model_fields["kind"].annotation)
    return str(word)


def _said(stdout: str = "", stderr: str = "", exit_code: int = 0) -> Completed:
    return Completed(exit_code=exit_code, stdout=stdout, stderr=stderr)


@dataclass
class Asked:
    """An instance that gives ANSWERS in turn, and holds what it was asked."""

    answers: Iterator[Completed]
    heard: list[Any] = field(default_factory=list)

    def _answer(self, *question: Any) -> Completed:
        self.heard.append(question)
        return next(self.answers)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        return self._answer(tuple(argv), timeout)

    def ssh_login(self) -> Completed:
        return self._answer("ssh")

    def shake_hands(self, *, timeout: float) -> Completed:
        return self._answer("rdp", timeout)

    def read_banner(self, port: int, wanted: str, *, timeout: float) -> Completed:
        return self._answer(port, wanted, timeout)


def _ask(check: Question, *answers: Completed) -> tuple[Completed, list[Any]]:
    instance = Asked(iter(answers))
    return check.ask(instance), instance.heard


def test_every_kind_is_in_the_union() -> None:
    classes = {
        one
        for one in vars(kinds).values()
        if isinstance(one, type) and issubclass(one, BaseCheck) and "kind" in one.model_fields
    }
    assert classes == set(UNION)
    assert len({_kind(one) for one in UNION}) == len(UNION)


@pytest.mark.parametrize("page", ["templates.md", "templates.zh-CN.md"])
def test_every_kind_is_described(page: str) -> None:
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", (DOCS / page).read_text(), re.MULTILINE))
    assert {_kind(one) for one in UNION} <= rows


def test_a_system_that_does_not_run_is_asked_for_its_failed_units() -> None:
    boots = Boots(name="it", timeout=90)
    running = _said("running\n")
    answer, heard = _ask(boots, running)
    assert (answer, heard) == (running, [(boots.program, 90)])
    degraded = _said("degraded\n", exit_code=1)
    answer, heard = _ask(boots, degraded, _said("x.service loaded failed\n"))
    assert answer == _said("degraded\n", "x.service loaded failed", 1)
    assert heard == [(boots.program, 90), (FAILED, 30)]
    # It would not be answered in time, either.
    late = _said("", "timed out", TIMED_OUT)
    assert _ask(boots, late)[0] == late


def test_a_service_is_started_before_its_port_is_read() -> None:
    check = Port(name="it", run=("publish",), exit=3, port=8080, stdout="^hello$")
    answer, heard = _ask(check, _said("started\n", exit_code=3), _said("hello\n"))
    assert answer == _said("hello\n", exit_code=3)
    assert heard == [(("publish",), 60), (8080, "^hello$", 60)]
    broken = _said("", "no such image\n", 125)
    assert _ask(check, broken) == (broken, [(("publish",), 60)])
    running = Port(name="it", port=22, stdout="^SSH-")
    assert _ask(running, _said("SSH-2.0\n")) == (_said("SSH-2.0\n"), [(22, "^SSH-", 60)])


@pytest.mark.parametrize(
    ("check", "question"),
    [
        (Ssh(name="it"), ("ssh",)),
        (Rdp(name="it", timeout=7), ("rdp", 7)),
        (Command(name="it", run=("a", "b"), timeout=9), (("a", "b"), 9)),
        (Provision(argv=("x",)), (("x",), 60)),
    ],
)
def test_one_question_and_its_answer(check: Question, question: tuple[object, ...]) -> None:
    assert _ask(check, _said("yes\n")) == (_said("yes\n"), [question])


def test_after_a_reboot_it_has_to_boot_in_time_and_to_let_in() -> None:
    boots, ssh = Reboot(name="it", timeout=45).after_reboot
    assert (boots, ssh) == (Boots(name="boots", timeout=45), Ssh(name="ssh"))
