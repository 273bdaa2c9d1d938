"""Waiting for an instance's first boot, told by cloud-init's own files with a deadline of ours.

`cloud-init status --wait` is not used: it hangs when a stage dies
(canonical/cloud-init#4505) and its exit code changed its meaning in 23.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from lab.errors import LabError, LxdError, LxdUnreachable
from lab.instances.addresses import ADDRESS_SECONDS, AddressWatch, looked_at, no_address, what_next
from lab.lxd.port import Lxd
from lab.wait import poll

# Empty lines, cloud-init's banners, what ssh-keygen tells, tables of the network.
_NOISE = re.compile(
    r"\s*$|Cloud-init v\.|[|+].*[|+]$|ci-info:|SHA256:|The key's randomart|The key fingerprint"
    r"|Generating public|Your (identification|public key) has been saved"
)

# One round trip: is it finished, did a stage die, and what was logged since OFFSET bytes. It waits
# inside for the end or for news, two seconds at most: each entry costs LXD a process of its own,
# 0.07 s on two cores that the boot needs.
_PROBE = """\
turn=0
until [ -e /run/cloud-init/result.json ] || [ $turn -ge 10 ]; do
    news=$(tail -c "+$1" /var/log/cloud-init-output.log 2>/dev/null | head -c 1)
    [ $turn -ge 3 ] && [ -n "$news" ] && break
    turn=$((turn + 1))
    sleep 0.2
done
printf '%s\\n' "$(cat /run/cloud-init/result.json 2>/dev/null | tr -d '\\n')"
systemctl is-failed cloud-init-local cloud-init cloud-init-network cloud-config cloud-final \
    2>/dev/null | grep -c '^failed$'
tail -c "+$1" /var/log/cloud-init-output.log 2>/dev/null
true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How a first boot ended: the ERRORS cloud-init lists, and all it printed."""

    errors: tuple[str, ...]
    output: str


class BootFailed(LxdError):
    """An instance did not reach the end of its first boot; OUTPUT is what cloud-init printed."""

    def __init__(
        self, brief: str, *, output: str, details: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(brief, details=details, fix=fix)
        self.output = output


class NoAddress(BootFailed):
    """It got no address: its first boot waits for one, for minutes."""


# The unit empties /tmp (tmpfiles.d(5), `D`): a script that is at work by then loses its files.
_AT_WORK = """\
test -S /run/systemd/private || exit 1
unit=systemd-tmpfiles-setup.service
# On its way down its sockets are still there, and refuse.
loaded=$(systemctl show --property=LoadState --value $unit) || exit 1
case "$loaded $(systemctl is-active $unit)" in
    "loaded inactive" | "loaded activating") exit 1 ;;
esac
"""


def wait_for_init(lxd: Lxd, name: str, *, timeout: float = 60) -> None:
    """Return when systemd is at work inside, and has made /run and /tmp.

    LXD's start returns as soon as init is spawned; what is written to either before is lost.
    """

    def probe() -> bool | None:
        try:
            ended = lxd.run(name, ["sh", "-c", _AT_WORK], timeout=30)
        except LxdUnreachable:
            raise
        except LxdError:
            # "Failed to retrieve PID of executing child process": too early to enter it.
            return None
        return True if ended.exit_code == 0 else None

    poll(probe, what=f"systemd in {name}", timeout=timeout, every=0.1)


def wait_for_cloud_init(
    lxd: Lxd,
    name: str,
    *,
    timeout: float,
    on_output: Callable[[str], None] = lambda _: None,
    address_within: float = ADDRESS_SECONDS,
) -> Boot:
    """Return when cloud-init has ended, however it ended; BootFailed when it never does.

    So it is, too, when it gets no address in time. TIMEOUT in seconds. ON_OUTPUT gets what
    cloud-init and the programs it runs print, an empty text where there is nothing new.
    """
    heard: list[str] = []
    size = 0

    def probe() -> Boot | None:
        nonlocal size
        answer = lxd.run(name, ["sh", "-c", _PROBE, "sh", str(size + 1)], timeout=30)
        result, _, rest = answer.stdout.partition("\n")
        dead, _, new = rest.partition("\n")
        if new:
            size += len(new.encode())
            heard.append(new)
        on_output(new)
        if result.strip():
            return Boot(errors=_errors(result), output="".join(heard))
        if dead.strip() not in ("", "0"):
            raise BootFailed(
                f"cloud-init stopped unexpectedly in {name}.",
                output="".join(heard),
                details=_unit_states(lxd, name),
            )
        if address.too_late():
            raise NoAddress(
                no_address(name, address_within),
                output="".join(heard),
                details=looked_at(lxd, name),
                fix=what_next(lxd, name),
            )
        return None

    def too_late() -> LabError:
        return BootFailed(
            f"Timed out after {timeout:.0f} s waiting for cloud-init in {name}.",
            output="".join(heard),
            details=_unit_states(lxd, name),
        )

    wait_for_init(lxd, name)
    address = AddressWatch(lxd, name, within=address_within)
    return poll(
        probe, what=f"cloud-init in {name}", timeout=timeout, every=0.1, on_timeout=too_late
    )


def excerpt(output: str, *, lines: int = 12) -> str:
    """The LINES of a log that tell why it failed: around its first error, else its end."""
    every = [line.rstrip() for line in output.splitlines() if not _NOISE.match(line)]
    for number, line in enumerate(every):
        if line.startswith(("E: ", "Err:", "Traceback", "fatal:")) or "rror:" in line:
            return "\n".join(every[max(0, number - 3) : number + lines - 3])
    return "\n".join(every[-lines:])


def _errors(result: str) -> tuple[str, ...]:
    try:
        return tuple(str(error) for error in json.loads(result)["v1"]["errors"])
    except (ValueError, KeyError, TypeError):
        return (f"result.json cannot be read: {result[:200]}",)


def _unit_states(lxd: Lxd, name: str) -> str:
    failed = lxd.run(name, ["systemctl", "--failed", "--no-legend", "--plain"], timeout=30).stdout
    return failed.strip() or "No unit failed; see the last lines of cloud-init's output."
