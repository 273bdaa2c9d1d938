"""Judging evidence: what a check wants against what fresh instances showed. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from images.checks.gpu import GpuAccess
from images.checks.reach import OVER_THE_NETWORK
from images.checks.verdict import Verdict
from images.templates.catalog import Check
from images.templates.definition import PROVISION
from lab.gpus.nvidia_smi import QUERY
from lab.lxd.model import Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one fresh instance showed. ANSWERS by check name, for those that run something."""

    ipv4: tuple[str, ...] = ()
    cloud_init: str = ""
    """The text of cloud-init's result.json; empty when there was none in time."""
    machine_id: str = ""
    host_keys: tuple[str, ...] = ()
    answers: Mapping[str, Completed] = field(default_factory=dict)
    told: str = ""
    """How those checks were tried that come over the network; empty: from this host."""
    rebooted: Evidence | None = None
    """What it showed after a reboot: `boots` and `ssh` are answered; empty: it never came back."""


# `--wait` returns when the boot has ended, well or badly; without a word when systemd dropped the
# connection, as it was seen to do right after a reboot.
_BOOTS = """\
for _ in 1 2 3 4 5; do
    said=$(systemctl is-system-running --wait)
    [ -z "$said" ] || break
    sleep 1
done
echo "$said"
[ "$said" = running ]
"""

PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "boots": ("sh", "-c", _BOOTS),
    "dns": ("sh", "/run/labstamp/dns.sh"),
    "timezone": ("sh", "-c", "cat /etc/timezone; readlink -f /etc/localtime"),
    "apt": ("apt-get", "check", "-qq"),
    "leftovers": ("sh", "/run/labstamp/leftovers.sh"),
    "lint": ("sh", "/run/labstamp/lint.sh"),
    "gpu": QUERY,
}
"""What runs inside for the kinds of check that are more than their own command."""


def judge(
    checks: Sequence[Check],
    first: Evidence,
    second: Evidence | None = None,
    *,
    timezone: str,
    gpu_access: GpuAccess | None = None,
) -> tuple[Verdict, ...]:
    """A verdict per check, in order. SECOND is another instance of the same image.

    GIVEN: the GPUs that the first one has.
    """
    gpus, second = gpu_access or GpuAccess(), second or Evidence()
    verdicts = []
    for check in checks:
        if why := _why_skipped(check, first, gpus):
            verdicts.append(Verdict(name=check.name, passed=False, skipped=True, why=why))
        else:
            verdicts.append(_judge(check, first, second, timezone, gpus))
    return tuple(verdicts)


def _why_skipped(check: Check, first: Evidence, gpu_access: GpuAccess) -> str:
    if check.kind == "gpu":
        return gpu_access.skipped
    answer = first.answers.get(check.name)
    if check.skip is None or answer is None or answer.exit_code != check.exit:
        return ""
    found = re.search(check.skip, answer.stdout, re.MULTILINE)
    return _last(answer) if found else ""


def _judge(
    check: Check, first: Evidence, second: Evidence, timezone: str, gpu_access: GpuAccess
) -> Verdict:
    if check.kind == "address":
        why = "" if first.ipv4 else "no IPv4 address"
    elif check.kind == "cloud-init":
        why = _cloud_init(first.cloud_init)
    elif check.kind == "identity":
        why = _identity(first, second)
    elif check.kind == "reboot":
        why = _reboot(check, first)
    elif check.kind == "gpu":
        said = first.answers.get(check.name)
        why = gpu_access.complaint(said) if said else "it was not run"
    elif check.name == PROVISION:
        why = _provision(check, first)
    else:
        why = _answer(check, first.answers.get(check.name), timezone)
    told = first.told if check.kind in OVER_THE_NETWORK else ""
    if why and told:
        why = f"{why}; {told}"
    return Verdict(name=check.name, passed=not why, why=why, told=told)


def _provision(check: Check, first: Evidence) -> str:
    """What would end every provisioning: an account that cannot be made, a boot with errors."""
    answer = first.answers.get(check.name)
    if answer is None:
        return "it was not run"
    said = _lint(check, answer)
    if said or answer.exit_code != 0:
        return said or f"exit code {answer.exit_code} without a word"
    errors = _cloud_init(first.cloud_init)
    return f"cloud-init: {errors}" if errors else ""


def _answer(check: Check, answer: Completed | None, timezone: str) -> str:
    if answer is None:
        return "it was not run"
    if check.kind == "timezone":
        said = answer.stdout.strip()
        named = {line.removeprefix("/usr/share/zoneinfo/") for line in said.splitlines()}
        return "" if timezone in named else f"{said!r}, wanted {timezone}"
    return _BY_KIND.get(check.kind, _command)(check, answer)


def _leftovers(_check: Check, answer: Completed) -> str:
    left = _said(answer).split()
    return f"left by the builder: {', '.join(left)}" if left else ""


def _lint(_check: Check, answer: Completed) -> str:
    return "; ".join(_said(answer).splitlines())


def _command(check: Check, answer: Completed) -> str:
    if answer.exit_code != check.exit:
        return f"exit code {answer.exit_code}, wanted {check.exit}: {_last(answer)}"
    if check.stdout is not None and not re.search(check.stdout, answer.stdout, re.MULTILINE):
        return f"the output does not match {check.stdout!r}: {_last(answer)}"
    return ""


def _boots(_check: Check, answer: Completed) -> str:
    state = answer.stdout.strip()
    failed = " ".join(answer.stderr.split())
    return "" if state == "running" else f"the system is {state or 'not up'}: {failed}"


def _port(check: Check, answer: Completed) -> str:
    if answer.exit_code != check.exit:
        return f"what was to make it: {_command(check, answer)}"
    if not answer.stdout:
        return f"nothing comes from there: {answer.stderr or 'not a word'}"
    if re.search(check.stdout or "", answer.stdout, re.MULTILINE):
        return ""
    return f"what it sends does not match {check.stdout!r}: {_last(answer)}"


_BY_KIND: Mapping[str, Callable[[Check, Completed], str]] = {
    "boots": _boots,
    "leftovers": _leftovers,
    "lint": _lint,
    "port": _port,
}


def _reboot(check: Check, before: Evidence) -> str:
    after = before.rebooted
    if after is None:
        return "it was not run"
    if "boots" not in after.answers:
        return f"it did not come back within {check.timeout} s"
    return next((f"afterwards {why}" for why in _lost(check, before, after)), "")


def _lost(check: Check, before: Evidence, after: Evidence) -> Iterator[str]:
    if why := _boots(check, after.answers["boots"]):
        yield why
    if (after.machine_id, after.host_keys) != (before.machine_id, before.host_keys):
        yield "it has another machine-id or other ssh host keys"
    if not after.ipv4:
        yield "it has no IPv4 address"
    ssh = after.answers.get("ssh")
    if ssh is None or ssh.exit_code != 0:
        yield f"ssh lets nobody in: {_last(ssh) if ssh else 'it was not tried'}"


def _said(answer: Completed) -> str:
    return (answer.stdout + answer.stderr).strip()


def _last(answer: Completed) -> str:
    return (_said(answer) or "no output").splitlines()[-1]


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
