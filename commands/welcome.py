"""What a bare `invoke` says."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command
from lab import console

_DAILY = """\
The daily commands (all of them: invoke --list; one of them: invoke --help COMMAND):

  invoke provision bob --template docker --key bob.pub   make a container for bob
  invoke list                                            who has one, and what they use
  invoke show bob                                        how bob logs in
  invoke destroy bob                                     remove it; its home is kept
  invoke build-images                                    after a driver update, or to be up to date
  invoke sync-drivers                                    then: the driver for containers that exist
  invoke images                                          releases, and whether they are stale
"""


@command(default=True)
def welcome(_c: Context) -> None:
    """Show the most used commands."""
    console.print_text(_DAILY)
