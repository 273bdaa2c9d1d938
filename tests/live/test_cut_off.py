"""A provisioning that is cut off when its user is in already: what they wrote stays."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.live.gpu_containers import destroy
from tests.live.lab import Lab, lxc

NAME = "lt-cut"
THESIS = f"/home/{NAME}/thesis"


@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_what_a_user_wrote_is_there_after_the_same_command_again(
    lab: Lab, key: Path, sign: signal.Signals
) -> None:
    public = str(key.with_suffix(".pub"))
    command = ("provision", NAME, "--template", "base", "--gpus", "none", "--key", public)
    destroy(lab, [NAME])

    def written(line: str) -> bool:
        """The account is there, and ssh is waited for."""
        if not line.rstrip().endswith(f" {NAME}: address"):
            return False
        lxc("exec", NAME, "--", "su", NAME, "-c", f"echo words >{THESIS}")
        return True

    try:
        ended = lab.signal_at(sign, written, *command)
        assert ended.code == (-sign if sign is signal.SIGKILL else 130), ended.err
        if sign is not signal.SIGKILL:
            assert f"The volume home-{NAME} (/home) is kept; the next run uses it." in ended.err
        lab.succeed(*command)
        assert lxc("exec", NAME, "--", "cat", THESIS) == "words\n"
        assert lxc("exec", NAME, "--", "stat", "-c", "%U", THESIS) == f"{NAME}\n"
    finally:
        destroy(lab, [NAME])
