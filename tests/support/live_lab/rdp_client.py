"""A user's own desk: xfreerdp on a screen that nobody looks at."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LxdError
from lab.wait import poll
from tests.support.live_lab.picture import Picture, read_picture

SIZE = "1280x800"
DESKTOP_SECONDS = 90
CLIENT = shutil.which("xfreerdp") or "xfreerdp3"
"""FreeRDP 3 has its number in its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A connected CLIENT. FILE is where the last look at its screen went."""

    client: subprocess.Popen[bytes]
    display: str
    file: Path
    log: Path

    def look(self) -> Picture:
        environment = {**os.environ, "DISPLAY": self.display}
        subprocess.run(["import", "-window", "root", str(self.file)], check=True, env=environment)
        return read_picture(self.file)

    def wait_for_panel(self) -> Picture:
        """The desktop as soon as its panel is there; it stays in FILE."""

        def probe() -> Picture | None:
            assert self.client.poll() is None, f"xfreerdp ended.\n{self.log.read_text()}"
            picture = self.look()
            return picture if picture.panel() else None

        try:
            return poll(probe, what="a panel", timeout=DESKTOP_SECONDS, every=1)
        except LxdError as error:
            raise AssertionError(f"{error} See {self.file}.\n{self.log.read_text()}") from error


@contextmanager
def connected(
    address: str, account: str, password: str, directory: Path, *, depth: int = 32
) -> Iterator[Desk]:
    """Log in as ACCOUNT; disconnected at the end, as by closing the window."""
    log = directory / "xfreerdp.log"
    with _screen() as display, log.open("wb") as output:
        client = subprocess.Popen(
            [
                *(CLIENT, f"/v:{address}", f"/u:{account}", "/d:", "/from-stdin:force"),
                *("/cert:ignore", f"/size:{SIZE}", f"/bpp:{depth}", "/clipboard"),
            ],
            env={**os.environ, "DISPLAY": display},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            assert client.stdin is not None
            client.stdin.write(f"{password}\n".encode())
            client.stdin.flush()
            yield Desk(client=client, display=display, file=directory / "screen.png", log=log)
        finally:
            _end(client)


@contextmanager
def _screen() -> Iterator[str]:
    """A free display; Xvfb itself chooses and says which."""
    read, write = os.pipe()
    server = subprocess.Popen(
        # Without -noreset it starts anew when its last client goes: a look at the screen that ends
        # before xfreerdp is there would throw xfreerdp out.
        [
            *("Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIZE}x24"),
            *("-nolisten", "tcp", "-noreset"),
        ],
        pass_fds=[write],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as said:
            number = said.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        _end(server)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    process.kill()
    process.wait()
