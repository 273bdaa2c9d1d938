"""Running the files of images/scripts/ in a builder."""

from __future__ import annotations

import time

from images.context import BuildContext, Log
from lab.errors import CheckError
from lab.lxd.model import Completed

_SECONDS = 1800


def run_script(context: BuildContext, builder: str, script: str, log: Log, *arguments: str) -> None:
    """Run SCRIPT with ARGUMENTS as root; CheckError with its last words when it fails."""
    ended = try_script(context, builder, script, log, *arguments)
    if ended.exit_code != 0:
        last = (ended.stdout + ended.stderr).splitlines()[-12:]
        raise CheckError(
            f"images/scripts/{script} failed with exit code {ended.exit_code}.",
            details="\n".join(last),
            fix=f"Read the full log: {log.path}",
        )


def try_script(
    context: BuildContext, builder: str, script: str, log: Log, *arguments: str
) -> Completed:
    """Run SCRIPT with ARGUMENTS as root; how it ended."""
    path = f"/run/labstamp/{script}"
    context.build.write_file(builder, path, (context.scripts / script).read_bytes(), mode=0o700)
    began = time.monotonic()
    ended = context.build.run(
        builder,
        # One at a time, should LXD make us start it twice (see `Lxd.run`). A daemon that it
        # leaves behind does not hold the lock: --close.
        ["flock", "--close", "/run/labstamp", path, *arguments],
        env={"DEBIAN_FRONTEND": "noninteractive"},
        timeout=_SECONDS,
        on_output=log.write,
    )
    log.write(f"[{script}: exit {ended.exit_code}, {time.monotonic() - began:.1f} s]\n")
    return ended
