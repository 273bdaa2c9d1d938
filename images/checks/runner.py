"""Running an image's checks: fresh instances of what was published, never of the builder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from images.check_kinds.base import BaseCheck, Question
from images.check_kinds.evidence import Case, Evidence, GpuAccess
from images.checks.fresh import Fresh
from images.checks.homes import fresh_home, remove_home
from images.checks.judge import judge
from images.checks.network import ACCOUNT
from images.checks.reach import Way, way_in
from images.checks.reboot import reboot
from images.checks.secrets import look_in, span_of, special_verdict, verdict
from images.checks.trial import Trial
from images.checks.verdict import Verdict
from images.context import BuildContext, Log
from images.placement import GROUNDS, NO_PROFILES, placed_as_users
from lab import labels
from lab.allowed import granted
from lab.cloudinit.account import account_text
from lab.errors import LxdError
from lab.instances.at_rest import at_rest
from lab.instances.boot import wait_for_cloud_init
from lab.instances.removal import remove_instance
from lab.instances.ssh_keys import give_keys
from lab.lxd.idmap import trial_range
from lab.lxd.model import InstanceSpec
from lab.process import me
from lab.tempdir import temp_directory

BOOT_SECONDS = 300


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
        shown = _collect(context, first, trial.to_run, way, log)
        compared = [_collect(context, name, (), way, log) for name in others]
        case = Case(
            first=shown,
            second=compared[0] if compared else Evidence(),
            timezone=context.timezone,
            gpus=trial.gpu_access,
        )
        verdicts = judge(trial.every_check, case)
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
    context: BuildContext, name: str, checks: tuple[BaseCheck, ...], way: Way, log: Log
) -> Evidence:
    result = _cloud_init_result(context, name, log)
    fresh = Fresh(lxd=context.build, name=name, way=way)
    # Before all checks: there is an address then.
    shown = Evidence(ipv4=fresh.ipv4, cloud_init=result, told=way.told)
    _bring_scripts(context, name)
    answers = {}
    for check in checks:
        log.report.detail(log.subject, check.name)
        if isinstance(check, Question):
            answers[check.name] = answer = check.ask(fresh)
            log.write(f"--- {check.name}: exit {answer.exit_code}\n{answer.stdout}{answer.stderr}")
    shown = _with_identity(replace(shown, answers=answers), fresh)
    # Last, as all others want the first boot.
    again = [check for check in checks if check.after_reboot]
    if again:
        log.report.detail(log.subject, again[0].name)
        return replace(shown, rebooted=_rebooted(fresh, again))
    return shown


def _with_identity(shown: Evidence, fresh: Fresh) -> Evidence:
    return replace(
        shown,
        machine_id=fresh.said("cat", "/etc/machine-id"),
        # The key itself; the comment behind it names the host and always differs.
        host_keys=tuple(
            fresh.said("sh", "-c", "cut -d' ' -f2 /etc/ssh/ssh_host_*_key.pub").split()
        ),
    )


def _rebooted(fresh: Fresh, checks: Sequence[BaseCheck]) -> Evidence:
    """What it shows after a reboot, one for all CHECKS; empty when it does not come back."""
    if not reboot(fresh.lxd, fresh.name, timeout=max(check.timeout for check in checks)):
        return Evidence()
    # Of questions by one name the most patient one.
    patient = sorted(checks, key=lambda check: check.timeout)
    questions = {one.name: one for check in patient for one in check.after_reboot}
    # Its address may be another one; nobody looks for it before the boot has ended.
    back = replace(fresh)
    answers = {name: question.ask(back) for name, question in questions.items()}
    return _with_identity(Evidence(ipv4=back.ipv4, answers=answers), back)


def _cloud_init_result(context: BuildContext, name: str, log: Log) -> str:
    """result.json as it would stand there; the log holds all the rest."""
    try:
        boot = wait_for_cloud_init(context.build, name, timeout=BOOT_SECONDS)
    except LxdError as error:
        log.write(f"{error}\n")
        return ""
    return json.dumps({"v1": {"errors": boot.errors}})


def _bring_scripts(context: BuildContext, name: str) -> None:
    for script in sorted(context.scripts.glob("*.sh")):
        context.build.write_file(
            name, f"/run/labstamp/{script.name}", script.read_bytes(), mode=0o755
        )


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
