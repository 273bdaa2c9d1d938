"""`lab-info` in a container, and the line at each login: what its user has and uses.

Both ask the container's own kernel files. So they are never out of date, nothing on the server has
to run for them, and the container gets no way to LXD.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.errors import LxdError
from lab.lxd.port import Lxd
from lab.report import Report

PROGRAM: Final = Path(__file__).with_name("inside") / "lab_info.py"
PLACE: Final = "/usr/local/bin/lab-info"
LINE: Final = "/etc/update-motd.d/50-lab-info"
"""pam_motd(8) runs it at each login over ssh."""
_LINE: Final = f"""\
#!/bin/sh
# Made by labstamp: what this container has and uses. To hide it: touch ~/.hushlogin
[ ! -x {PLACE} ] || timeout 3 {PLACE} --line 2>/dev/null || true
"""


def give_lab_info(lxd: Lxd, name: str, report: Report) -> None:
    """Put both into NAME, which is best stopped. A failure is said: nobody needs them to work."""
    try:
        lxd.write_file(name, PLACE, PROGRAM.read_bytes(), mode=0o755)
        lxd.write_file(name, LINE, _LINE.encode(), mode=0o755)
    except LxdError as error:
        report.say(f"{name} goes without lab-info: {error.details or error.brief}")
