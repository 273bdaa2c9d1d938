"""How progress is reported: the pipeline calls a Report, only `lab.console` prints."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """An observer of work on named subjects (a template, a container, the host)."""

    def phase(self, subject: str, phase: str) -> None:
        """SUBJECT enters PHASE (`boot`, `cloud-init`, `publish` …); its clock restarts."""

    def detail(self, subject: str, text: str) -> None:
        """What SUBJECT does within its phase: an apt step, a percentage. May come often."""

    def done(self, subject: str, text: str) -> None:
        """SUBJECT is finished, with TEXT as the result."""

    def failed(self, subject: str, text: str) -> None:
        """SUBJECT ended in failure, TEXT is its brief."""

    def say(self, text: str) -> None:
        """A line that belongs to no subject."""


class Silent:
    """Prints nothing."""

    def phase(self, subject: str, phase: str) -> None: ...
    def detail(self, subject: str, text: str) -> None: ...
    def done(self, subject: str, text: str) -> None: ...
    def failed(self, subject: str, text: str) -> None: ...
    def say(self, text: str) -> None: ...
