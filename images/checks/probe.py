"""Runs inside an instance (images/checks/reach.py): one question on stdin, its answer on stdout."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from images.checks.network import read_banner, ssh_login
from lab.lxd.model import Completed
from lab.rdp import shake_hands


def main() -> None:
    sys.stdout.write(json.dumps(asdict(answer(json.load(sys.stdin)))))


def answer(question: dict[str, Any]) -> Completed:
    """The answer of network.py or rdp.py to QUESTION: `what` to try, and what that takes."""
    ipv4 = tuple(question["ipv4"])
    match question["what"]:
        case "ssh_login":
            return ssh_login(ipv4, Path(question["key"]))
        case "shake_hands":
            return shake_hands(ipv4, timeout=question["timeout"])
        case "read_banner":
            return read_banner(
                ipv4, question["port"], question["wanted"], timeout=question["timeout"]
            )
    raise ValueError(question["what"])
