"""Running an image's checks: two fresh instances of what was published, never of the builder."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from images.checks import PROGRAMS, Evidence, Verdict, judge
from images.definition import Check
from images.placing import placed
from images.scratch import scratch
from images.workshop import Log, Workshop
from lab import keys
from lab.boot import wait_for_cloud_init
from lab.cloudinit import render
from lab.errors import CommandTimeout, LxdError
from lab.lxd.model import Completed, Image, InstanceSpec
from lab.process import me
from lab.release import Needs
from lab.wait import poll

ACCOUNT = "labcheck"
BOOT_SECONDS = 300
ADDRESS_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is judged: IMAGE as containers of TEMPLATE would use it, by CHECKS."""

    template: str
    image: Image
    needs: Needs
    checks: tuple[Check, ...]


def smoke(shop: Workshop, trial: Trial, log: Log) -> tuple[Verdict, ...]:
    """Judge on two instances that are gone afterwards (the first stays on --keep-failed)."""
    first, second = (f"check-{trial.template}-{number}" for number in (1, 2))
    with ExitStack() as undo, scratch() as directory:
        key = _make_key(directory)
        for name in (first, second):
            undo.callback(shop.build.delete, name)
            _start(shop, name, trial, key)
        verdicts = judge(
            trial.checks,
            _collect(shop, first, trial.checks, key, log),
            _collect(shop, second, (), key, log),
            timezone=shop.timezone,
        )
        log.write("".join(f"{verdict}\n" for verdict in verdicts))
        if shop.keep_failed and not all(verdict.passed for verdict in verdicts):
            undo.pop_all()
            shop.build.delete(second)
            _keep(shop, first)
    return verdicts


def _start(shop: Workshop, name: str, trial: Trial, key: Path) -> None:
    public = key.with_suffix(".pub").read_text().strip()
    user_data = render("check.yaml.j2", shop.own_templates, {"account": ACCOUNT, "key": public})
    shop.build.delete(name)
    shop.build.create(
        InstanceSpec(
            name=name,
            image=trial.image.fingerprint,
            config={
                **trial.needs.config,
                shop.build.server().user_data_key: user_data,
                keys.TEMPLATE: trial.template,
                keys.PHASE: keys.PREPARING,
                keys.BUILDER: me(),
            },
            devices=placed(shop, trial.needs.devices),
        )
    )
    shop.build.start(name)


def _collect(shop: Workshop, name: str, checks: tuple[Check, ...], key: Path, log: Log) -> Evidence:
    result = _cloud_init_result(shop, name, log)
    ipv4 = _addresses(shop, name)
    _bring_scripts(shop, name)
    answers = {}
    for check in checks:
        log.report.detail(log.subject, check.name)
        answer = _answer(shop, name, check, ipv4, key)
        if answer is not None:
            log.write(f"--- {check.name}: exit {answer.exit_code}\n{answer.stdout}{answer.stderr}")
            answers[check.name] = answer
    return Evidence(
        ipv4=ipv4,
        cloud_init=result,
        machine_id=_said(shop, name, ["cat", "/etc/machine-id"]),
        host_keys=tuple(
            # The key itself; the comment behind it names the host and always differs.
            _said(shop, name, ["sh", "-c", "cut -d' ' -f2 /etc/ssh/ssh_host_*_key.pub"]).split()
        ),
        answers=answers,
    )


def _answer(
    shop: Workshop, name: str, check: Check, ipv4: tuple[str, ...], key: Path
) -> Completed | None:
    if check.kind == "ssh":
        return _ssh(ipv4, key)
    argv = check.run if check.kind == "command" else PROGRAMS.get(check.kind)
    if not argv:
        return None
    try:
        answer = shop.build.run(name, argv, timeout=check.timeout)
    except CommandTimeout as error:
        return Completed(exit_code=124, stdout="", stderr=f"{error.brief}")
    if check.kind == "boots" and answer.stdout.strip() != "running":
        failed = _said(shop, name, ["systemctl", "--failed", "--no-legend", "--plain"])
        return Completed(exit_code=answer.exit_code, stdout=answer.stdout, stderr=failed)
    return answer


def _ssh(ipv4: tuple[str, ...], key: Path) -> Completed:
    """Log in from outside, as a user would, with a key of this check alone."""
    if not ipv4:
        return Completed(exit_code=255, stdout="", stderr="no address to log in to")

    def attempt() -> Completed | None:
        ended = subprocess.run(
            [
                "ssh",
                *("-i", str(key), "-o", "IdentitiesOnly=yes", "-F", "none"),
                *("-o", "BatchMode=yes", "-o", "ConnectTimeout=5"),
                *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
                *("-o", "LogLevel=ERROR", f"{ACCOUNT}@{ipv4[0]}", "id -un"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        answers.append(
            Completed(exit_code=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)
        )
        return answers[-1] if ended.returncode == 0 else None

    answers: list[Completed] = []
    try:
        return poll(attempt, what="ssh", timeout=15, every=0.5)
    except LxdError:
        return answers[-1]


def _cloud_init_result(shop: Workshop, name: str, log: Log) -> str:
    """result.json as it would stand there; the log holds all the rest."""
    try:
        boot = wait_for_cloud_init(shop.build, name, timeout=BOOT_SECONDS)
    except LxdError as error:
        log.write(f"{error}\n")
        return ""
    return json.dumps({"v1": {"errors": boot.errors}})


def _addresses(shop: Workshop, name: str) -> tuple[str, ...]:
    def probe() -> tuple[str, ...] | None:
        return shop.build.state(name).ipv4 or None

    try:
        return poll(probe, what=f"an address of {name}", timeout=ADDRESS_SECONDS)
    except LxdError:
        return ()


def _bring_scripts(shop: Workshop, name: str) -> None:
    for script in sorted(shop.scripts.glob("*.sh")):
        shop.build.write_file(name, f"/run/labstamp/{script.name}", script.read_bytes(), mode=0o755)


def _said(shop: Workshop, name: str, argv: list[str]) -> str:
    return shop.build.run(name, argv, timeout=30).stdout.strip()


def _make_key(directory: Path) -> Path:
    key = directory / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", ACCOUNT, "-f", str(key)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return key


def _keep(shop: Workshop, name: str) -> None:
    shop.build.update(name, config={keys.PHASE: "failed"})
    shop.report.say(
        f"The instance that failed its checks is kept. Look at it with:\n"
        f"  lxc --project {shop.build.project} exec {name} -- bash"
    )
