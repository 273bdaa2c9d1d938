"""An LXD of ci/test that dies of a fault of its own is started again, once.

Tests that failed while it died are run once more, with everything made anew that fixtures hold.
Other failures stay as they are, and so does everything when it dies a second time: the run ends
there, as failed. Whether an LXD died is read from what Go prints before it gives up, and seen by
its silence: a test that stops or kills one on purpose starts it again, which is no death.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import pytest
from _pytest.runner import runtestprotocol

from tests.support.live_lab.gpu_host import GPUS, VERSION
from tests.support.live_lab.own_lxd import PLACE, run_sandbox
from tests.support.parts import BUILDS, PLAIN, part

RERUN: Final = "rerun"
# As the runtime of Go begins its last words.
_LAST_WORDS: Final = re.compile(
    r"^(?:fatal error: |panic: |runtime: |unexpected fault address |SIG[A-Z]+: ).*", re.MULTILINE
)


class Daemons(Protocol):
    """The LXDs of a run."""

    def death(self) -> str | None:
        """How one of them has died since this was last asked."""

    def revive(self) -> None:
        """The one that tests share runs afterwards."""


@dataclass(slots=True)
class OwnLxds:
    """Those that ci/test and the tests started, each in a directory of its own."""

    place: Path
    shared: Path
    """The directory of the one that ci/test started."""
    start: Sequence[str]
    """What ci/sandbox is told to start that."""
    _heard: dict[Path, int] = field(default_factory=dict)

    def death(self) -> str | None:
        found = [words for file in self.place.glob("*/logs/lxd.out") if (words := self._new(file))]
        if found:
            return found[0]
        return None if self._answers() else "nothing answers at its socket"

    def revive(self) -> None:
        # What lives on of it may be half made: all of it ends, and begins anew.
        run_sandbox(self.shared, "stop")
        run_sandbox(self.shared, "start", *self.start)
        self.death()

    def _new(self, file: Path) -> str | None:
        """The last words in FILE that were not there before."""
        with file.open("rb") as stream:
            stream.seek(self._heard.get(file, 0))
            text = stream.read()
        self._heard[file] = self._heard.get(file, 0) + len(text)
        words = _LAST_WORDS.search(text.decode(errors="replace"))
        return f"{words[0].strip()} (in {file.parents[1].name})" if words else None

    def _answers(self) -> bool:
        """One that is just being started counts."""
        for pause in (0, 1, 2, 4):
            time.sleep(pause)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                try:
                    connection.connect(str(self.shared / "unix.socket"))
                except OSError:
                    continue
                return True
        return False


@dataclass(slots=True, eq=False)
class Watch:
    """Asks after each test, before its fixtures are taken down."""

    daemons: Daemons
    _deaths: list[str] = field(default_factory=list)
    """What is said of them in the end."""
    _died: str | None = None
    """In the test that runs now."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = self._run(item, nextitem)
        if self._died and not item.session.shouldfail:
            reports = self._after_death(item, nextitem, reports)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        died = self.daemons.death()
        if died is None:
            return
        self._died = died
        self._deaths.append(f"LXD died in {item.nodeid}: {died}.")
        try:
            if len(self._deaths) > 1:
                item.session.shouldfail = "LXD died a second time"
            else:
                self._revive(item)
        finally:
            # Whatever fixtures made in it, also those of the session, died with it.
            item.session._setupstate.teardown_exact(None)

    def _revive(self, item: pytest.Item) -> None:
        try:
            self.daemons.revive()
        except Exception:
            item.session.shouldfail = "LXD died and could not be started again"
            raise

    def _run(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        self._died = None
        return runtestprotocol(item, log=False, nextitem=nextitem)

    def _after_death(
        self,
        item: pytest.Item,
        nextitem: pytest.Item | None,
        reports: list[pytest.TestReport],
    ) -> list[pytest.TestReport]:
        """Those of the second go, if there has to be one."""
        failed = [report for report in reports if report.failed]
        if not failed:
            self._deaths[0] += " It was started again; that test had passed."
            return reports
        again = self._run(item, nextitem)
        word = "failed" if any(report.failed for report in again) else "passed"
        self._deaths[0] += f" It was started again, and the test run once more: {word}."
        for report in failed:
            report.outcome = RERUN  # type: ignore[assignment]
        return [*failed, *again]

    @pytest.hookimpl
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        return (RERUN, "R", "RERUN") if str(report.outcome) == RERUN else None

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._deaths:
            return
        terminalreporter.section("LXD died")
        for report in terminalreporter.getreports(RERUN):
            terminalreporter.write_line(f"{report.nodeid}, the first time:")
            terminalreporter.write_line(report.longreprtext)
        for line in self._deaths:
            terminalreporter.write_line(line)


def watch_lxd(config: pytest.Config) -> None:
    """For a conftest's pytest_configure: does something in a run of ci/test only."""
    place, shared = os.environ.get(PLACE), os.environ.get("LXD_DIR")
    if place and shared:
        start = () if part() in {PLAIN, BUILDS} else ("--gpus", str(len(GPUS)), "--driver", VERSION)
        daemons = OwnLxds(Path(place), Path(shared), start)
        daemons.death()  # what it said before is of no interest
        config.pluginmanager.register(Watch(daemons), "lxd-watch")
