"""Running an image's checks: fresh instances of what was published, never of the builder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from images.at_rest import at_rest
from images.checks.gpu import Given
from images.checks.homes import fresh_home, remove_home
from images.checks.judge import PROGRAMS, Evidence, judge
from images.checks.network import ACCOUNT
from images.checks.reach import Way, way_in
from images.checks.reboot import reboot
from images.checks.secrets import look_in, span_of, special_verdict, verdict
from images.checks.trial import Trial
from images.checks.verdict import Verdict
from images.context import Log, Workshop
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
from lab.tempdir import scratch
from lab.wait import poll

BOOT_SECONDS = 300
ADDRESS_SECONDS = 60


def smoke(shop: Workshop, trial: Trial, log: Log) -> tuple[Verdict, ...]:
    """Judge on instances that are gone afterwards (the first stays on --keep-failed)."""
    first, *others = names = [f"check-{trial.template}-{n + 1}" for n in range(trial.size)]
    with ExitStack() as undo, scratch() as directory:
        key = _make_key(directory)
        for name in names:
            undo.callback(remove_home, shop, name)
            undo.callback(remove_instance, shop.build, name)
            cards = trial.given if name == first and trial.asks_cards else Given()
            _create(shop, name, trial, key, cards)
        with at_rest(shop.build, first):
            fresh = look_in(shop, first, span_of(trial.image))
        for name in names:
            # Not before: what the image has below /home is looked at, too.
            shop.build.update(name, devices=fresh_home(shop, name))
            give_keys(shop.build, name, ACCOUNT, [_public(key)], [])
            shop.build.start(name)
        way = way_in(shop.build, names, local=shop.settings.remote == "local", key=key)
        if way.told and trial.over_the_network:
            log.write(f"{way.told}\n")
            shop.report.say(f"{trial.template}: {trial.over_the_network}: {way.told}")
        verdicts = judge(
            trial.every_check,
            _collect(shop, first, trial.to_run, way, log),
            *(_collect(shop, name, (), way, log) for name in others),
            timezone=shop.timezone,
            given=trial.given,
        )
        booted = [look_in(shop, name) for name in names if others]
        verdicts += (
            verdict(fresh, booted, trial.allowed),
            special_verdict(fresh, trial.allowed_special),
        )
        log.write("".join(f"{verdict}\n" for verdict in verdicts))
        if shop.keep_failed and any(verdict.failed for verdict in verdicts):
            undo.pop_all()
            for name in others:
                remove_instance(shop.build, name)
                remove_home(shop, name)
            _keep(shop, first)
    return verdicts


def _create(shop: Workshop, name: str, trial: Trial, key: Path, given: Given) -> None:
    needs = granted(trial.needs, f"The release of {trial.template}")
    user_data = account_text(trial.account((_public(key),)), shop.settings.cloud_init)
    remove_instance(shop.build, name)
    shop.build.create(
        InstanceSpec(
            name=name,
            image=trial.image.fingerprint,
            profiles=NO_PROFILES,
            config={
                **needs.config,
                **GROUNDS,
                **_ids(shop),
                **given.config,
                shop.build.server().user_data_key: user_data,
                labels.TEMPLATE: trial.template,
                labels.PHASE: labels.PREPARING,
                labels.BUILDER: me(),
            },
            devices={**needs.devices, **placed_as_users(shop), **given.devices},
        )
    )


def _ids(shop: Workshop) -> Mapping[str, str]:
    """As users' containers have: not all ids of the daemon, and none of anybody's."""
    whole = shop.lxd.id_range()
    found = trial_range(whole) if whole is not None else None
    return found.config if found is not None else {}


def _collect(shop: Workshop, name: str, checks: tuple[Check, ...], way: Way, log: Log) -> Evidence:
    result = _cloud_init_result(shop, name, log)
    ipv4 = _addresses(shop, name)
    _bring_scripts(shop, name)
    answers = {}
    for check in checks:
        log.report.detail(log.subject, check.name)
        answer = _answer(shop, name, check, ipv4, way)
        if answer is not None:
            log.write(f"--- {check.name}: exit {answer.exit_code}\n{answer.stdout}{answer.stderr}")
            answers[check.name] = answer
    shown = replace(_identity(shop, name, ipv4), cloud_init=result, answers=answers, told=way.told)
    # Last, as all others want the first boot.
    again = [check for check in checks if check.kind == "reboot"]
    if again:
        log.report.detail(log.subject, again[0].name)
        limit = max(check.timeout for check in again)
        return replace(shown, rebooted=_rebooted(shop, name, way, limit))
    return shown


def _identity(shop: Workshop, name: str, ipv4: tuple[str, ...]) -> Evidence:
    return Evidence(
        ipv4=ipv4,
        machine_id=_said(shop, name, ["cat", "/etc/machine-id"]),
        host_keys=tuple(
            # The key itself; the comment behind it names the host and always differs.
            _said(shop, name, ["sh", "-c", "cut -d' ' -f2 /etc/ssh/ssh_host_*_key.pub"]).split()
        ),
    )


def _rebooted(shop: Workshop, name: str, way: Way, timeout: int) -> Evidence:
    """What it shows after a reboot; empty when it does not come back."""
    if not reboot(shop.build, name, timeout=timeout):
        return Evidence()
    boots = _run(shop, name, "boots", PROGRAMS["boots"], timeout)
    ipv4 = _addresses(shop, name)
    return replace(_identity(shop, name, ipv4), answers={"boots": boots, "ssh": way.log_in(ipv4)})


def _answer(
    shop: Workshop, name: str, check: Check, ipv4: tuple[str, ...], way: Way
) -> Completed | None:
    if check.kind == "ssh":
        return way.log_in(ipv4)
    if check.kind == "rdp":
        return way.shake_hands(ipv4, timeout=check.timeout)
    argv = check.run or PROGRAMS.get(check.kind)
    answer = _run(shop, name, check.kind, argv, check.timeout) if argv else None
    if check.port is None or (answer is not None and answer.exit_code != check.exit):
        return answer
    heard = way.hear(ipv4, check.port, check.stdout or "", timeout=check.timeout)
    return replace(heard, exit_code=check.exit)


def _run(shop: Workshop, name: str, kind: str, argv: Sequence[str], timeout: int) -> Completed:
    try:
        answer = shop.build.run(name, argv, timeout=timeout)
    except CommandTimeout as error:
        return Completed(exit_code=124, stdout="", stderr=f"{error.brief}")
    if kind == "boots" and answer.stdout.strip() != "running":
        failed = _said(shop, name, ["systemctl", "--failed", "--no-legend", "--plain"])
        why = failed or answer.stderr
        return Completed(exit_code=answer.exit_code, stdout=answer.stdout, stderr=why)
    return answer


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


def _public(key: Path) -> str:
    return key.with_suffix(".pub").read_text().strip()


def _keep(shop: Workshop, name: str) -> None:
    shop.build.update(name, config={labels.PHASE: labels.FAILED})
    shop.report.say(
        f"The instance that failed its checks is kept. Look at it with:\n"
        f"  lxc --project {shop.build.project} exec {name} -- bash"
    )
