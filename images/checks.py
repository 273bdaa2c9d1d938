"""Judging evidence: what a check wants against what fresh instances showed. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from images.definition import Check
from lab.lxd.model import Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One check's outcome; WHY is empty where it passed."""

    name: str
    passed: bool
    why: str = ""

    def __str__(self) -> str:
        mark = "passed" if self.passed else "FAILED"
        return f"{mark}: {self.name}" + (f": {self.why}" if self.why else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one fresh instance showed. ANSWERS by check name, for those that run something."""

    ipv4: tuple[str, ...] = ()
    cloud_init: str = ""
    """The text of cloud-init's result.json; empty when there was none in time."""
    machine_id: str = ""
    host_keys: tuple[str, ...] = ()
    answers: Mapping[str, Completed] = field(default_factory=dict)


PROGRAMS: Mapping[str, tuple[str, ...]] = {
    # `--wait` returns when the boot has ended, well or badly.
    "boots": ("systemctl", "is-system-running", "--wait"),
    "dns": ("sh", "/run/labstamp/dns.sh"),
    "timezone": ("sh", "-c", "cat /etc/timezone; readlink -f /etc/localtime"),
    "apt": ("apt-get", "check", "-qq"),
    "leftovers": ("sh", "/run/labstamp/leftovers.sh"),
}
"""What runs inside for the kinds of check that are more than their own command."""


def judge(
    checks: Sequence[Check], first: Evidence, second: Evidence, *, timezone: str
) -> tuple[Verdict, ...]:
    """A verdict per check, in order. SECOND is another instance of the same image."""
    return tuple(_judge(check, first, second, timezone) for check in checks)


def _judge(check: Check, first: Evidence, second: Evidence, timezone: str) -> Verdict:
    if check.kind == "address":
        why = "" if first.ipv4 else "no IPv4 address"
    elif check.kind == "cloud-init":
        why = _cloud_init(first.cloud_init)
    elif check.kind == "identity":
        why = _identity(first, second)
    else:
        why = _answer(check, first.answers.get(check.name), timezone)
    return Verdict(name=check.name, passed=not why, why=why)


def _answer(check: Check, answer: Completed | None, timezone: str) -> str:
    if answer is None:
        return "it was not run"
    said = (answer.stdout + answer.stderr).strip()
    if check.kind == "leftovers":
        return f"left by the builder: {', '.join(said.split())}" if said else ""
    if check.kind == "timezone":
        named = {line.removeprefix("/usr/share/zoneinfo/") for line in said.splitlines()}
        return "" if timezone in named else f"{said!r}, wanted {timezone}"
    if check.kind == "boots":
        state = answer.stdout.strip()
        failed = " ".join(answer.stderr.split())
        return "" if state == "running" else f"the system is {state or 'not up'}: {failed}"
    return _command(check, answer, said)


def _command(check: Check, answer: Completed, said: str) -> str:
    last = said.splitlines()[-1] if said else "no output"
    if answer.exit_code != check.exit:
        return f"exit code {answer.exit_code}, wanted {check.exit}: {last}"
    if check.stdout is not None and not re.search(check.stdout, answer.stdout, re.MULTILINE):
        return f"the output does not match {check.stdout!r}: {last}"
    return ""


def _cloud_init(result: str) -> str:
    if not result:
        return "it did not finish"
    try:
        errors = json.loads(result)["v1"]["errors"]
    except (ValueError, KeyError, TypeError):
        return "result.json cannot be read"
    return "; ".join(str(error) for error in errors)


def _identity(first: Evidence, second: Evidence) -> str:
    if not (first.machine_id and second.machine_id and first.host_keys and second.host_keys):
        return "an instance has no machine-id or no ssh host keys"
    if first.machine_id == second.machine_id:
        return f"two instances have the machine-id {first.machine_id}"
    if set(first.host_keys) & set(second.host_keys):
        return "two instances share an ssh host key"
    if set(first.ipv4) & set(second.ipv4):
        return f"two instances share the address {', '.join(set(first.ipv4) & set(second.ipv4))}"
    return ""
