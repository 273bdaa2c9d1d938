"""What the groups of calls have in common: a server and the project they speak of."""

from __future__ import annotations

from pathlib import Path

from lab.lxd.fork_file import end_file_server
from lab.lxd.rest import Rest
from lab.machine.cgroup import Memory, leave_only_limit, read_memory
from lab.machine.monitors import first_processes


class Calls:
    """Base of each group of calls; `lab.lxd.client` puts the groups together."""

    proc: Path = Path("/proc")
    cgroups: Path = Path("/sys/fs/cgroup")

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._project = project
        self._here = {"project": project}

    def _host(self, name: str) -> str:
        """The instance NAME as LXD's own files call it."""
        return name if self._project == "default" else f"{self._project}_{name}"

    def _memory(self, name: str) -> Memory | None:
        """As this machine's kernel counts and limits it; None where that is not to be seen."""
        directory = self._rest.directory
        if directory is None:
            return None
        init = first_processes(directory, proc=self.proc).get(self._host(name))
        return read_memory(init, proc=self.proc, mount=self.cgroups) if init is not None else None

    def _leave_only_limit(self, name: str) -> None:
        """Undo what LXD before 5.0.4 and 5.21.1 adds to a limit of memory with cgroup v2.

        Up to 5.0.2 it protects nine tenths of the limit from being reclaimed, the cache included;
        5.0.3 and 5.21.0 slow the instance down there, where it hangs instead of ending
        (docs/lxd-quirks.md). A limit that is `soft` stays as it is.
        """
        memory = self._memory(name)
        if memory is not None and memory.has_more_than_limit:
            leave_only_limit(memory)

    def _end_file_server(self, name: str) -> bool:
        """End LXD's process that serves the files of NAME; False where nobody here may."""
        return self._rest.is_local and end_file_server(self._rest.daemon(), self._host(name))
