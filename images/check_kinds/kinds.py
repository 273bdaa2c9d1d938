"""The kinds of checks, each a class: its fields, what it asks, how it is judged. Pure.

A new kind is a class here and its name in `Check`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field

from images.check_kinds.base import (
    NOT_RUN,
    TIMED_OUT,
    BaseCheck,
    Instance,
    OwnCommand,
    Program,
    Question,
    all_lines,
    last_line,
    matches,
    said,
    wrong_exit,
)
from images.check_kinds.evidence import Case, Evidence
from lab.gpus.nvidia_smi import QUERY
from lab.lxd.model import Completed
from lab.yaml.model import Pattern, PortNumber, value_error


class Boots(Program):
    """systemd reports `running`: no unit failed."""

    kind: Literal["boots"] = "boots"

    # `--wait` returns when the boot has ended, well or badly; without a word when systemd dropped
    # the connection, as it was seen to do right after a reboot.
    program: ClassVar = (
        "sh",
        "-c",
        """\
for _ in 1 2 3 4 5; do
    said=$(systemctl is-system-running --wait)
    [ -z "$said" ] || break
    sleep 1
done
echo "$said"
[ "$said" = running ]
""",
    )

    def ask(self, instance: Instance) -> Completed:
        answer = super().ask(instance)
        if answer.stdout.strip() == "running" or answer.exit_code == TIMED_OUT:
            return answer
        failed = instance.run(["systemctl", "--failed", "--no-legend", "--plain"], timeout=30)
        return replace(answer, stderr=failed.stdout.strip() or answer.stderr)

    def why_wrong(self, answer: Completed, _case: Case) -> str:
        state = answer.stdout.strip()
        if state == "running":
            return ""
        failed = " ".join(answer.stderr.split())
        return f"the system is {state or 'not up'}" + (f": {failed}" if failed else "")


class CloudInit(BaseCheck):
    """cloud-init finished without an error."""

    kind: Literal["cloud-init"] = "cloud-init"

    def why(self, case: Case) -> str:
        return case.first.boot_errors


class Address(BaseCheck):
    """There is an IPv4 address."""

    kind: Literal["address"] = "address"

    def why(self, case: Case) -> str:
        return "" if case.first.ipv4 else "no IPv4 address"


class Dns(Program):
    """Names are resolved."""

    kind: Literal["dns"] = "dns"
    program: ClassVar = ("sh", "/run/labstamp/dns.sh")


class Ssh(Question):
    """A throwaway account gets in with its key, from outside."""

    kind: Literal["ssh"] = "ssh"
    over_the_network: ClassVar = True

    def ask(self, instance: Instance) -> Completed:
        return instance.ssh_login()


class Identity(BaseCheck):
    """Two instances share neither machine-id, host key nor address."""

    kind: Literal["identity"] = "identity"
    instances: ClassVar = 2

    def why(self, case: Case) -> str:
        first, second = case.first, case.second
        if not (first.machine_id and second.machine_id and first.host_keys and second.host_keys):
            return "an instance has no machine-id or no ssh host keys"
        if first.machine_id == second.machine_id:
            return f"two instances have the machine-id {first.machine_id}"
        if set(first.host_keys) & set(second.host_keys):
            return "two instances share an ssh host key"
        if shared := set(first.ipv4) & set(second.ipv4):
            return f"two instances share the address {', '.join(shared)}"
        return ""


class Timezone(Program):
    """The time zone is that of the settings."""

    kind: Literal["timezone"] = "timezone"
    program: ClassVar = ("sh", "-c", "cat /etc/timezone; readlink -f /etc/localtime")

    def why_wrong(self, answer: Completed, case: Case) -> str:
        found = answer.stdout.strip()
        named = {line.removeprefix("/usr/share/zoneinfo/") for line in found.splitlines()}
        return "" if case.timezone in named else f"expected {case.timezone}, got {found!r}"


class Apt(Program):
    """`apt-get check` is content."""

    kind: Literal["apt"] = "apt"
    program: ClassVar = ("apt-get", "check", "-qq")


class Leftovers(Program):
    """Nothing of the builder is left."""

    kind: Literal["leftovers"] = "leftovers"
    program: ClassVar = ("sh", "/run/labstamp/leftovers.sh")

    def why_wrong(self, answer: Completed, _case: Case) -> str:
        left = said(answer).split()
        return f"left by the builder: {', '.join(left)}" if left else ""


class Lint(Program):
    """No empty driver files, and no links that lead nowhere."""

    kind: Literal["lint"] = "lint"
    program: ClassVar = ("sh", "/run/labstamp/lint.sh")

    def why_wrong(self, answer: Completed, _case: Case) -> str:
        return all_lines(answer)


class Reboot(BaseCheck):
    """After a reboot from inside all is as before. Made last of all."""

    kind: Literal["reboot"] = "reboot"
    over_the_network: ClassVar = True

    @property
    def after_reboot(self) -> tuple[Question, ...]:
        return Boots(name="boots", timeout=self.timeout), Ssh(name="ssh")

    def why(self, case: Case) -> str:
        after = case.first.rebooted
        if after is None:
            return NOT_RUN
        if not after.answers:
            return f"the system did not come back within {self.timeout} s"
        changed = self._changed(case, after)
        return f"after the reboot: {changed}" if changed else ""

    def _changed(self, case: Case, after: Evidence) -> str:
        boots, ssh = self.after_reboot
        first = case.first
        if why := boots.why(replace(case, first=after)):
            return why
        if (after.machine_id, after.host_keys) != (first.machine_id, first.host_keys):
            return "the machine-id or the ssh host keys have changed"
        if not after.ipv4:
            return "no IPv4 address"
        answer = after.answers.get(ssh.name)
        if answer is None or answer.exit_code != 0:
            return f"the ssh login failed: {last_line(answer) if answer else NOT_RUN}"
        return ""


class Rdp(Question):
    """Port 3389 speaks RDP to the outside and gets through a TLS handshake."""

    kind: Literal["rdp"] = "rdp"
    over_the_network: ClassVar = True

    def ask(self, instance: Instance) -> Completed:
        return instance.shake_hands(timeout=self.timeout)


class Port(OwnCommand):
    """A client outside is sent what matches `stdout`; `run` may start the service first."""

    kind: Literal["port"] = "port"
    over_the_network: ClassVar = True

    port: PortNumber
    stdout: Pattern

    def ask(self, instance: Instance) -> Completed:
        if self.run:
            started = instance.run(self.run, timeout=self.timeout)
            if started.exit_code != self.exit:
                return started
        heard = instance.read_banner(self.port, self.stdout, timeout=self.timeout)
        return replace(heard, exit_code=self.exit)

    def why_wrong(self, answer: Completed, _case: Case) -> str:
        if why := wrong_exit(answer, self.exit):
            return f"starting the service failed: {why}"
        if not answer.stdout:
            return "the port sent no data" + (f": {answer.stderr}" if answer.stderr else "")
        if matches(self.stdout, answer.stdout):
            return ""
        return f"the data of the port does not match {self.stdout!r}: {last_line(answer)}"


class Gpu(Program):
    """nvidia-smi sees the host's GPUs, all of them and no other, at the host's version."""

    kind: Literal["gpu"] = "gpu"
    asks_gpus: ClassVar = True
    program: ClassVar = QUERY

    def skipped(self, case: Case) -> str:
        return case.gpus.skipped

    def why_wrong(self, answer: Completed, case: Case) -> str:
        return case.gpus.complaint(answer)


def _not_empty(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv:
        raise value_error("must name a command")
    return argv


class Command(OwnCommand):
    """`run` ends with `exit`, and what it prints matches `stdout`."""

    kind: Literal["command"] = "command"

    run: Annotated[tuple[str, ...], AfterValidator(_not_empty)]
    stdout: Pattern | None = None

    def ask(self, instance: Instance) -> Completed:
        return instance.run(self.run, timeout=self.timeout)

    def why_wrong(self, answer: Completed, _case: Case) -> str:
        if why := wrong_exit(answer, self.exit):
            return why
        if self.stdout is None or matches(self.stdout, answer.stdout):
            return ""
        return f"the output does not match {self.stdout!r}: {last_line(answer)}"


Check: TypeAlias = Annotated[
    Boots
    | CloudInit
    | Address
    | Dns
    | Ssh
    | Identity
    | Timezone
    | Apt
    | Leftovers
    | Lint
    | Reboot
    | Rdp
    | Port
    | Gpu
    | Command,
    Field(discriminator="kind"),
]
"""What a definition may ask for; in this order a wrong `kind` is answered."""
