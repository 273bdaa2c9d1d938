"""Starting and stopping a container whose lock the caller holds."""

from __future__ import annotations

from collections.abc import Callable

from lab.lxd.model import State
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from lab.shares.ground import Ground
from lab.shares.troubles import troubles
from provision.create.ready import SshProbe, Timeouts, probe_ssh, wait_until_up
from provision.half_taken import finish_half_taken
from provision.starting import refuse_unstartable, start_up
from provision.whole import whole_container


def start_held(
    lxd: Lxd,
    settings: Settings,
    name: str,
    *,
    report: Report,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> bool:
    """Running, with ssh answering, afterwards. False when it was running already."""
    instance = whole_container(lxd, name)
    if instance.state is State.RUNNING:
        return False
    finish_half_taken(lxd, instance)
    refuse_unstartable(lxd, instance)
    for share, problem in troubles(instance, settings, lxd, Ground()):
        report.say(f"{name}: the share {share} may be missing or empty: {problem.found}")
    report.phase(name, "boot")
    start_up(lxd, name, report)
    waits = timeouts or Timeouts()
    address = wait_until_up(lxd, name, report, timeouts=waits, probe_ssh=probe_ssh)
    report.done(name, f"runs at {address}")
    return True


def bring_up_held(
    lxd: Lxd,
    settings: Settings,
    name: str,
    *,
    report: Report,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> bool:
    """As `start_held`, and ssh answers afterwards also where it was running already.

    Whoever started it may have been killed before it was up.
    """
    if start_held(lxd, settings, name, report=report, timeouts=timeouts, probe_ssh=probe_ssh):
        return True
    wait_until_up(lxd, name, report, timeouts=timeouts or Timeouts(), probe_ssh=probe_ssh)
    return False


def stop_held(lxd: Lxd, name: str, *, report: Report) -> bool:
    """Stopped afterwards. False when it was already."""
    if whole_container(lxd, name).state is State.STOPPED:
        return False
    report.phase(name, "stop")
    lxd.stop(name)
    report.done(name, "stopped")
    return True
