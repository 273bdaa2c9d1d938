"""A provisioning that is cut off when its user is in already: what they wrote stays."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lab.wait import poll
from tests.live.gpu_containers import destroy
from tests.live.lab import Lab, lxc

NAME = "lt-cut"
THESIS = f"/home/{NAME}/thesis"
WRITE = f"getent passwd {NAME} >/dev/null && su {NAME} -c 'echo words >{THESIS}' && echo done"


def _written() -> bool | None:
    """By the user, as soon as there is an account and a home."""
    return True if lxc("exec", NAME, "--", "sh", "-c", f"{WRITE} || true") == "done\n" else None


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
        assert process.returncode == (-sign if sign is signal.SIGKILL else 130), err
        if sign is not signal.SIGKILL:
            assert f"The volume home-{NAME} (/home) is kept; the next run uses it." in err
        lab.succeed(*command)
        assert lxc("exec", NAME, "--", "cat", THESIS) == "words\n"
        assert lxc("exec", NAME, "--", "stat", "-c", "%U", THESIS) == f"{NAME}\n"
    finally:
        destroy(lab, [NAME])
