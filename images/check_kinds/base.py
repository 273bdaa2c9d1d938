"""What the kinds of checks have in common: how each asks, and how its answer is judged. Pure."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from images.check_kinds.evidence import Case
from lab.lxd.model import Completed
from lab.yaml.model import Pattern, StrictModel

NOT_RUN = "it was not run"
TIMED_OUT = 124
"""Exit code of a command that did not end in time, as timeout(1) has it."""

_ONCE_EVERY_KIND_S = {"run": [], "exit": 0, "stdout": None, "skip": None, "port": None}


class Instance(Protocol):
    """A fresh instance, as checks may ask it."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """ARGV as root inside; TIMED_OUT where it did not end in time. The files of
        images/scripts/ are in /run/labstamp/."""

    def ssh_login(self) -> Completed:
        """`id -un` over ssh, as a user from outside."""

    def shake_hands(self, *, timeout: float) -> Completed:
        """The start of an RDP session from outside."""

    def read_banner(self, port: int, wanted: str, *, timeout: float) -> Completed:
        """What PORT sends by itself to a client outside, once it matches WANTED."""


class BaseCheck(StrictModel):
    """Something that fresh instances of an image must show."""

    instances: ClassVar[int] = 1
    """How many it takes."""
    over_the_network: ClassVar[bool] = False
    """Whether it has to be asked from outside."""
    asks_gpus: ClassVar[bool] = False
    """Whether the first instance is given the host's GPUs."""

    name: str = Field(min_length=1)
    timeout: int = Field(default=60, ge=1)

    @property
    def own_argv(self) -> tuple[str, ...]:
        """What the definition itself has it run."""
        return ()

    @property
    def after_reboot(self) -> tuple[Question, ...]:
        """What the instance is asked once more after a reboot; empty: it needs none."""
        return ()

    def skipped(self, _case: Case) -> str:
        """Why it says nothing here, before or after it was asked; empty where it does."""
        return ""

    @abstractmethod
    def why(self, case: Case) -> str:
        """Why it failed; empty where it passed."""

    @model_serializer(mode="wrap")
    def _with_the_keys_of_before(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Recipes hash this, and every check once had these keys. Without them each lab would
        # rebuild each image, though nothing of it changed.
        return {**_ONCE_EVERY_KIND_S, **fields(self)}


class Question(BaseCheck):
    """A check that asks the instance, and is judged by the answer."""

    @abstractmethod
    def ask(self, instance: Instance) -> Completed: ...

    def why(self, case: Case) -> str:
        answer = case.first.answers.get(self.name)
        return NOT_RUN if answer is None else self.why_wrong(answer, case)

    def why_wrong(self, answer: Completed, _case: Case) -> str:
        """What is wrong with ANSWER; empty when all is right."""
        return wrong_exit(answer, 0)


class Program(Question):
    """A check that runs one and the same program."""

    program: ClassVar[tuple[str, ...]]

    def ask(self, instance: Instance) -> Completed:
        return instance.run(self.program, timeout=self.timeout)


class OwnCommand(Question):
    """A check with a command, or what else it asks, that its definition names."""

    run: tuple[str, ...] = ()
    """argv."""
    exit: int = 0
    skip: Pattern | None = None
    """What it prints where there is nothing to try; then skipped, not passed."""

    @property
    def own_argv(self) -> tuple[str, ...]:
        return self.run

    def skipped(self, case: Case) -> str:
        answer = case.first.answers.get(self.name)
        if self.skip is None or answer is None or answer.exit_code != self.exit:
            return ""
        return last_line(answer) if matches(self.skip, answer.stdout) else ""


def matches(pattern: str, text: str) -> bool:
    """Whether PATTERN is found in TEXT, line by line."""
    return re.search(pattern, text, re.MULTILINE) is not None


def said(answer: Completed) -> str:
    return (answer.stdout + answer.stderr).strip()


def all_lines(answer: Completed) -> str:
    return "; ".join(said(answer).splitlines())


def last_line(answer: Completed) -> str:
    return (said(answer) or "no output").splitlines()[-1]


def wrong_exit(answer: Completed, expected: int) -> str:
    """That ANSWER has another exit code than EXPECTED; empty where it has not."""
    if answer.exit_code == expected:
        return ""
    return f"exit code {answer.exit_code}, expected {expected}: {last_line(answer)}"
