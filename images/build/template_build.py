"""One template's build: its body, then its release. Each runs as a step of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from images.build.body import make_body
from images.build.driver_layer import finish
from images.build.publish import publish_release
from images.build.targets import Order
from images.context import Log, Stopped, Workshop
from lab.errors import LabError
from lab.sizes import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A finished build: PHASES are name and seconds, in order."""

    template: str
    version: str
    size_bytes: int
    phases: tuple[tuple[str, float], ...]


class Work:
    def __init__(self, shop: Workshop, order: Order, log: Log) -> None:
        self._shop = shop
        self._order = order
        self._log = log
        self.name = order.definition.name
        self.parent = order.definition.parent
        self.cost = len(order.definition.packages)
        """How long it takes beside others, roughly: what a template installs itself."""
        self.built: Built | None = None

    def body(self) -> None:
        """Make the body anew."""
        order = self._order
        with self._told():
            make_body(self._shop, order.definition, order.wanted.body, order.user_data, self._log)
            self._log.phase("waiting")

    def release(self, *, smoke_test: bool) -> None:
        """Add the driver, publish, judge, give to users."""
        with self._told():
            with ExitStack() as undo:
                order = self._order
                finished = finish(
                    self._shop, order.definition, order.layer.userland, self._log, undo
                )
                release, image, outcome = publish_release(
                    self._shop,
                    order,
                    finished,
                    self._log,
                    smoke_test=smoke_test,
                )
            self.built = Built(
                template=self.name,
                version=release.version,
                size_bytes=image.size_bytes,
                phases=self._log.timings(),
            )
            size = format_size(image.size_bytes)
            self._shop.report.done(
                self.name, f"{release.version} is current, {size}, {outcome.value}"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures go to the log and the report on their way up."""
        report = self._shop.report
        try:
            yield
        except LabError as error:
            self._log.write(f"\n{error}\n")
            report.failed(self.name, error.brief.removeprefix(f"{self.name}: "))
            raise
        except Stopped:
            report.failed(self.name, "stopped; what was half made is removed")
            raise
