"""A provisioning that is cut off when its user is in already: what they wrote stays."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lab.wait import poll
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.lab import Lab, lxc, ssh

pytestmark = pytest.mark.plain

NAME = "lt-cut"
THESIS = f"/home/{NAME}/thesis"
# Nobody can log in yet, but root can write there in their name.
WRITE = f"id {NAME} >/dev/null && echo words >{THESIS} && chown {NAME}: {THESIS} && echo done"


def _written() -> bool | None:
    """By the user, as soon as there is an account and a home."""
    return True if lxc("exec", NAME, "--", "sh", "-c", f"{WRITE} || true") == "done\n" else None


def _is_half_made(lab: Lab, key: Path) -> None:
    """Told by all commands, and nobody gets in."""
    shown = lab.succeed("show", NAME, "--json").document
    assert (shown["phase"], shown["half_made"]["at_work"]) == ("preparing", False)
    assert shown["half_made"]["fix"] == f"invoke provision {NAME}"
    (address,) = shown["ipv4"]
    poll(lambda: _refused(address, key) or None, what="ssh to refuse", timeout=60)


def _refused(address: str, key: Path) -> bool:
    said = ssh(address, NAME, key, ["true"], log_level="INFO")
    assert said.code != 0
    # By PAM, after the key was found to be right.
    return "Your account has expired" in said.err


@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_what_a_user_wrote_is_there_after_the_same_command_again(
    lab: Lab, key: Path, sign: signal.Signals
) -> None:
    public = str(key.with_suffix(".pub"))
    command = ("provision", NAME, "--template", "base", "--gpus", "none", "--key", public)
    destroy(lab, [NAME])
    try:
        with lab.begin(*command) as process:
            for line in process.stderr or ():
                if line.rstrip().endswith(f" {NAME}: cloud-init"):
                    break
            # It waits for the first boot, which ends without it: it cannot be ready before.
            process.send_signal(signal.SIGSTOP)
            poll(_written, what="the account", timeout=120)
            process.send_signal(sign)
            process.send_signal(signal.SIGCONT)
            _, err = process.communicate(timeout=300)
        if sign is signal.SIGKILL:
            assert process.returncode == -sign
            _is_half_made(lab, key)
            made = lab.succeed("provision", NAME, "--json").document
            assert ssh(made["ipv4"][0], NAME, key, ["true"]).code == 0
        else:
            assert process.returncode == 130
            assert f"The volume home-{NAME} (/home) is kept. The next run uses it." in err
            lab.succeed(*command)
        assert lxc("exec", NAME, "--", "cat", THESIS) == "words\n"
        assert lxc("exec", NAME, "--", "stat", "-c", "%U", THESIS) == f"{NAME}\n"
    finally:
        destroy(lab, [NAME])
