"""Running an image's checks: fresh instances of what was published, never of the builder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from images.at_rest import at_rest
from images.checks.gpu import GpuAccess
from images.checks.homes import fresh_home, remove_home
from images.checks.judge import PROGRAMS, Evidence, judge
from images.checks.network import ACCOUNT
from images.checks.reach import Way, way_in
from images.checks.reboot import reboot
from images.checks.secrets import look_in, span_of, special_verdict, verdict
from images.checks.trial import Trial
from images.checks.verdict import Verdict
from images.context import BuildContext, Log
from images.placement import GROUNDS, NO_PROFILES, placed_as_users
from images.templates.catalog import Check
from lab import labels
from lab.allowed import granted
from lab.cloudinit.account import account_text
from lab.errors import CommandTimeout, LxdError
from lab.instances.boot import wait_for_cloud_init
from lab.instances.removal import remove_instance
from lab.instances.ssh_keys import give_keys
from lab.lxd.idmap import trial_range
from lab.lxd.model import Completed, InstanceSpec
from lab.process import me
from lab.tempdir import temp_directory
from lab.wait import poll

BOOT_SECONDS = 300
ADDRESS_SECONDS = 60


def smoke(context: BuildContext, trial: Trial, log: Log) -> tuple[Verdict, ...]:
    """Judge on instances that are gone afterwards (the first stays on --keep-failed)."""
    first, *others = names = [f"check-{trial.template}-{n + 1}" for n in range(trial.size)]
    with ExitStack() as undo, temp_directory() as directory:
        key = _make_key(directory)
        for name in names:
            undo.callback(remove_home, context, name)
            undo.callback(remove_instance, context.build, name)
            gpus = trial.gpu_access if name == first and trial.asks_gpus else GpuAccess()
            _create(context, name, trial, key, gpus)
        with at_rest(context.build, first):
            fresh = look_in(context, first, span_of(trial.image))
        for name in names:
            # Not before: what the image has below /home is looked at, too.
            context.build.update(name, devices=fresh_home(context, name))
            give_keys(context.build, name, ACCOUNT, [_public(key)], [])
            context.build.start(name)
        way = way_in(context.build, names, local=context.settings.is_local, key=key)
        if way.told and trial.over_the_network:
            log.write(f"{way.told}\n")
            context.report.say(f"{trial.template}: {trial.over_the_network}: {way.told}")
        verdicts = judge(
            trial.every_check,
            _collect(context, first, trial.to_run, way, log),
            *(_collect(context, name, (), way, log) for name in others),
            timezone=context.timezone,
            gpu_access=trial.gpu_access,
        )
        booted = [look_in(context, name) for name in names if others]
        verdicts += (
            verdict(fresh, booted, trial.allowed),
            special_verdict(fresh, trial.allowed_special),
        )
        log.write("".join(f"{verdict}\n" for verdict in verdicts))
        if context.keep_failed and any(verdict.failed for verdict in verdicts):
            undo.pop_all()
            for name in others:
                remove_instance(context.build, name)
                remove_home(context, name)
            _keep(context, first)
    return verdicts


def _create(
    context: BuildContext, name: str, trial: Trial, key: Path, gpu_access: GpuAccess
) -> None:
    needs = granted(trial.needs, f"The release of {trial.template}")
    user_data = account_text(trial.account((_public(key),)), context.settings.cloud_init)
    remove_instance(context.build, name)
    context.build.create(
        InstanceSpec(
            name=name,
            image=trial.image.fingerprint,
            profiles=NO_PROFILES,
            config={
                **needs.config,
                **GROUNDS,
                **_ids(context),
                **gpu_access.config,
                context.build.server().user_data_key: user_data,
                labels.TEMPLATE: trial.template,
                labels.PHASE: labels.PREPARING,
                labels.BUILDER: me(),
            },
            devices={**needs.devices, **placed_as_users(context), **gpu_access.devices},
        )
    )


def _ids(context: BuildContext) -> Mapping[str, str]:
    """As users' containers have: not all ids of the daemon, and none of anybody's."""
    whole = context.lxd.id_range()
    found = trial_range(whole) if whole is not None else None
    return found.config if found is not None else {}


def _collect(
    context: BuildContext, name: str, checks: tuple[Check, ...], way: Way, log: Log
) -> Evidence:
    result = _cloud_init_result(context, name, log)
    ipv4 = _addresses(context, name)
    _bring_scripts(context, name)
    answers = {}
    for check in checks:
        log.report.detail(log.subject, check.name)
        answer = _answer(context, name, check, ipv4, way)
        if answer is not None:
            log.write(f"--- {check.name}: exit {answer.exit_code}\n{answer.stdout}{answer.stderr}")
            answers[check.name] = answer
    shown = replace(
        _identity(context, name, ipv4), cloud_init=result, answers=answers, told=way.told
    )
    # Last, as all others want the first boot.
    again = [check for check in checks if check.kind == "reboot"]
    if again:
        log.report.detail(log.subject, again[0].name)
        limit = max(check.timeout for check in again)
        return replace(shown, rebooted=_rebooted(context, name, way, limit))
    return shown


def _identity(context: BuildContext, name: str, ipv4: tuple[str, ...]) -> Evidence:
    return Evidence(
        ipv4=ipv4,
        machine_id=_said(context, name, ["cat", "/etc/machine-id"]),
        host_keys=tuple(
            # The key itself; the comment behind it names the host and always differs.
            _said(context, name, ["sh", "-c", "cut -d' ' -f2 /etc/ssh/ssh_host_*_key.pub"]).split()
        ),
    )


def _rebooted(context: BuildContext, name: str, way: Way, timeout: int) -> Evidence:
    """What it shows after a reboot; empty when it does not come back."""
    if not reboot(context.build, name, timeout=timeout):
        return Evidence()
    boots = _run(context, name, "boots", PROGRAMS["boots"], timeout)
    ipv4 = _addresses(context, name)
    return replace(
        _identity(context, name, ipv4), answers={"boots": boots, "ssh": way.ssh_login(ipv4)}
    )


def _answer(
    context: BuildContext, name: str, check: Check, ipv4: tuple[str, ...], way: Way
) -> Completed | None:
    if check.kind == "ssh":
        return way.ssh_login(ipv4)
    if check.kind == "rdp":
        return way.shake_hands(ipv4, timeout=check.timeout)
    argv = check.run or PROGRAMS.get(check.kind)
    answer = _run(context, name, check.kind, argv, check.timeout) if argv else None
    if check.port is None or (answer is not None and answer.exit_code != check.exit):
        return answer
    heard = way.read_banner(ipv4, check.port, check.stdout or "", timeout=check.timeout)
    return replace(heard, exit_code=check.exit)


def _run(
    context: BuildContext, name: str, kind: str, argv: Sequence[str], timeout: int
) -> Completed:
    try:
        answer = context.build.run(name, argv, timeout=timeout)
    except CommandTimeout as error:
        return Completed(exit_code=124, stdout="", stderr=f"{error.brief}")
    if kind == "boots" and answer.stdout.strip() != "running":
        failed = _said(context, name, ["systemctl", "--failed", "--no-legend", "--plain"])
        why = failed or answer.stderr
        return Completed(exit_code=answer.exit_code, stdout=answer.stdout, stderr=why)
    return answer


def _cloud_init_result(context: BuildContext, name: str, log: Log) -> str:
    """result.json as it would stand there; the log holds all the rest."""
    try:
        boot = wait_for_cloud_init(context.build, name, timeout=BOOT_SECONDS)
    except LxdError as error:
        log.write(f"{error}\n")
        return ""
    return json.dumps({"v1": {"errors": boot.errors}})


def _addresses(context: BuildContext, name: str) -> tuple[str, ...]:
    def probe() -> tuple[str, ...] | None:
        return context.build.state(name).ipv4 or None

    try:
        return poll(probe, what=f"an address of {name}", timeout=ADDRESS_SECONDS)
    except LxdError:
        return ()


def _bring_scripts(context: BuildContext, name: str) -> None:
    for script in sorted(context.scripts.glob("*.sh")):
        context.build.write_file(
            name, f"/run/labstamp/{script.name}", script.read_bytes(), mode=0o755
        )


def _said(context: BuildContext, name: str, argv: list[str]) -> str:
    return context.build.run(name, argv, timeout=30).stdout.strip()


def _make_key(directory: Path) -> Path:
    key = directory / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", ACCOUNT, "-f", str(key)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return key


def _public(key: Path) -> str:
    return key.with_suffix(".pub").read_text().strip()


def _keep(context: BuildContext, name: str) -> None:
    context.build.update(name, config={labels.PHASE: labels.FAILED})
    context.report.say(
        f"The instance that failed its checks is kept. Look at it with:\n"
        f"  lxc --project {context.build.project} exec {name} -- bash"
    )
