"""Verdicts on evidence, with the words an admin reads."""

from dataclasses import replace

import pytest

from images.check_kinds.base import BaseCheck, Question
from images.check_kinds.evidence import Case, Evidence
from images.check_kinds.kinds import (
    Address,
    Apt,
    Boots,
    CloudInit,
    Command,
    Identity,
    Leftovers,
    Lint,
    Port,
    Reboot,
    Ssh,
    Timezone,
)
from images.check_kinds.provision import PROVISION, Provision
from images.checks.judge import judge
from lab.lxd.model import Completed


def _said(stdout: str = "", stderr: str = "", exit_code: int = 0) -> Completed:
    return Completed(exit_code=exit_code, stdout=stdout, stderr=stderr)


FIRST = Evidence(
    ipv4=("10.0.0.2",),
    cloud_init='{"v1": {"errors": []}}',
    machine_id="a" * 32,
    host_keys=("AAAA1",),
)
SECOND = replace(FIRST, ipv4=("10.0.0.3",), machine_id="b" * 32, host_keys=("AAAA2",))


def _why(check: BaseCheck, first: Evidence = FIRST, second: Evidence = SECOND) -> str:
    case = Case(first=first, second=second, timezone="Asia/Shanghai")
    (verdict,) = judge((check,), case)
    assert verdict.passed is not bool(verdict.why)
    return verdict.why


def _asked(kind: type[Question], said: Completed) -> tuple[Question, Evidence]:
    return kind(name="it"), replace(FIRST, answers={"it": said})


def test_a_running_system_passes_and_a_degraded_one_names_its_units() -> None:
    assert not _why(*_asked(Boots, _said("running\n")))
    degraded = _said("degraded\n", "xrdp.service loaded failed failed xrdp\n", 1)
    assert (
        _why(*_asked(Boots, degraded))
        == "the system is degraded: xrdp.service loaded failed failed xrdp"
    )


def test_cloud_init_must_have_ended_without_errors() -> None:
    check = CloudInit(name="it")
    assert not _why(check)
    assert _why(check, replace(FIRST, cloud_init="")) == "it did not finish"
    broken = replace(FIRST, cloud_init='{"v1": {"errors": ["apt: exit 100"]}}')
    assert _why(check, broken) == "apt: exit 100"


def test_an_address_is_needed() -> None:
    check = Address(name="it")
    assert not _why(check)
    assert _why(check, replace(FIRST, ipv4=())) == "no IPv4 address"


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (
            replace(SECOND, machine_id=FIRST.machine_id),
            f"two instances have the machine-id {'a' * 32}",
        ),
        (replace(SECOND, host_keys=FIRST.host_keys), "two instances share an ssh host key"),
        (replace(SECOND, ipv4=FIRST.ipv4), "two instances share the address 10.0.0.2"),
        (replace(SECOND, machine_id=""), "an instance has no machine-id or no ssh host keys"),
    ],
)
def test_identities_must_differ(second: Evidence, why: str) -> None:
    check = Identity(name="it")
    assert not _why(check)
    assert _why(check, second=second) == why


def test_what_the_builder_left_is_named() -> None:
    assert not _why(*_asked(Leftovers, _said("")))
    left = _said("/root/.bash_history\n/var/cache/apt/archives/x.deb\n")
    assert (
        _why(*_asked(Leftovers, left))
        == "left by the builder: /root/.bash_history, /var/cache/apt/archives/x.deb"
    )


def test_the_time_zone_is_the_lab_s() -> None:
    good = _said("Asia/Shanghai\n/usr/share/zoneinfo/Asia/Shanghai\n")
    assert not _why(*_asked(Timezone, good))
    assert _why(*_asked(Timezone, _said("Etc/UTC\n"))) == "expected Asia/Shanghai, got 'Etc/UTC'"


def test_a_command_is_judged_by_exit_code_and_output() -> None:
    check = Command(name="it", run=("docker", "info"), stdout="^overlay2$")
    first = replace(FIRST, answers={"it": _said("overlay2\n")})
    assert not _why(check, first)
    assert (
        _why(check, replace(FIRST, answers={"it": _said("vfs\n")}))
        == "the output does not match '^overlay2$': vfs"
    )
    assert (
        _why(check, replace(FIRST, answers={"it": _said("", "no daemon\n", 1)}))
        == "exit code 1, expected 0: no daemon"
    )


def test_a_check_without_an_answer_never_passes() -> None:
    assert _why(Ssh(name="it")) == "it was not run"


def test_what_an_image_should_not_hold_is_named() -> None:
    assert not _why(*_asked(Lint, _said("")))
    found = _said("/usr/lib/libcuda.so.1 is empty\n/usr/bin/x leads nowhere, to y\n")
    assert (
        _why(*_asked(Lint, found))
        == "/usr/lib/libcuda.so.1 is empty; /usr/bin/x leads nowhere, to y"
    )


PORT = Port(name="it", run=("publish",), port=8080, stdout="^hello$")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (_said("hello\n"), ""),
        (_said("220 smtp\n"), "the data of the port does not match '^hello$': 220 smtp"),
        (
            _said("", "10.0.0.2 port 8080: Connection refused"),
            "the port sent no data: 10.0.0.2 port 8080: Connection refused",
        ),
        (_said(), "the port sent no data"),
        (
            _said("", "no such image\n", 125),
            "starting the service failed: exit code 125, expected 0: no such image",
        ),
    ],
)
def test_a_port_is_judged_by_what_comes_from_it(answer: Completed, why: str) -> None:
    assert _why(PORT, replace(FIRST, answers={"it": answer})) == why


BACK = replace(FIRST, answers={"boots": _said("running\n"), "ssh": _said("labcheck\n")})


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (BACK, ""),
        (None, "it was not run"),
        (Evidence(), "the system did not come back within 60 s"),
        (
            replace(BACK, answers={**BACK.answers, "boots": _said("degraded\n", "x.service\n", 1)}),
            "after the reboot: the system is degraded: x.service",
        ),
        (
            replace(BACK, machine_id="c" * 32),
            "after the reboot: the machine-id or the ssh host keys have changed",
        ),
        (replace(BACK, ipv4=()), "after the reboot: no IPv4 address"),
        (
            replace(BACK, answers={**BACK.answers, "ssh": _said("", "Connection refused\n", 255)}),
            "after the reboot: the ssh login failed: Connection refused",
        ),
    ],
)
def test_after_a_reboot_all_is_as_before(after: Evidence | None, why: str) -> None:
    assert _why(Reboot(name="it"), replace(FIRST, rebooted=after)) == why


def test_what_cannot_be_tried_here_is_skipped_and_says_why() -> None:
    check = Command(name="it", run=("try-it",), stdout="^done$", skip="^nothing to do: ")
    outcomes = {
        "done\n": "passed: it",
        "nothing to do: no card\n": "skipped: it: nothing to do: no card",
        "broken\n": "FAILED: it: the output does not match '^done$': broken",
    }
    for said, outcome in outcomes.items():
        first = replace(FIRST, answers={"it": _said(said)})
        (verdict,) = judge((check,), Case(first=first))
        assert str(verdict) == outcome


def test_a_check_that_fails_is_not_skipped_for_what_it_says() -> None:
    check = Command(name="it", run=("try-it",), skip="^nothing to do: ")
    first = replace(FIRST, answers={"it": _said("nothing to do: no card\n", exit_code=1)})
    (verdict,) = judge((check,), Case(first=first))
    assert verdict.failed


def _provision(said: Completed, first: Evidence = FIRST) -> str:
    return _why(Provision(argv=("x",)), replace(first, answers={PROVISION: said}))


def test_what_keeps_people_from_being_given_it() -> None:
    assert not _provision(_said())
    taken = "1000 in passwd is ubuntu, and has to be free\nthe account was not made\n"
    assert _provision(_said(taken)) == (
        "1000 in passwd is ubuntu, and has to be free; the account was not made"
    )
    assert _provision(_said(exit_code=124)) == "exit code 124, expected 0: no output"
    broken = replace(FIRST, cloud_init='{"v1": {"errors": ["bootcmd: exit 9"]}}')
    assert _provision(_said(), broken) == "cloud-init: bootcmd: exit 9"
    assert _why(Provision(argv=("x",))) == "it was not run"


def test_from_where_it_was_tried_is_told() -> None:
    check, first = _asked(Ssh, _said("labcheck\n"))
    apart = replace(first, told="tried from inside: macvlan")
    (passed,) = judge((check,), Case(first=apart))
    assert str(passed) == "passed: it (tried from inside: macvlan)"
    refused = replace(apart, answers={"it": _said("", "Connection refused\n", 255)})
    (failed,) = judge((check,), Case(first=refused))
    assert str(failed) == (
        "FAILED: it: exit code 255, expected 0: Connection refused; tried from inside: macvlan"
    )
    # What nobody outside has a part in.
    check, first = _asked(Apt, _said())
    (other,) = judge((check,), Case(first=replace(first, told="tried from inside")))
    assert str(other) == "passed: it"
