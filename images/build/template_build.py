"""One template's build: its body, then its release. Each runs as a step of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from images.build.body import make_body
from images.build.driver_layer import finish
from images.build.publish import publish_release
from images.build.targets import Target
from images.context import BuildContext, Log, Stopped
from lab.errors import LabError
from lab.sizes import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A finished build: PHASES are name and seconds, in order. No VERSION: it is a body alone."""

    template: str
    version: str | None
    size_bytes: int
    phases: tuple[tuple[str, float], ...]


class TemplateBuild:
    def __init__(self, context: BuildContext, target: Target, log: Log) -> None:
        self._context = context
        self._target = target
        self._log = log
        self.name = target.definition.name
        self.parent = target.definition.parent
        self.cost = len(target.definition.packages)
        """How long it takes beside others, roughly: what a template installs itself."""
        self.built: Built | None = None

    def body(self) -> None:
        """Rebuild the body."""
        target = self._target
        with self._told():
            make_body(
                self._context, target.definition, target.recipes.body, target.user_data, self._log
            )
            if target.definition.abstract:
                self._end_with_the_body()
            else:
                self._log.phase("waiting")

    def release(self, *, smoke_test: bool) -> None:
        """Add the driver, publish, judge, give to users."""
        with self._told():
            with ExitStack() as undo:
                target = self._target
                finished = finish(
                    self._context, target.definition, target.driver.userland, self._log, undo
                )
                release, image, outcome = publish_release(
                    self._context,
                    target,
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
            self._context.report.done(
                self.name, f"{release.version} is current, {size}, {outcome.value}"
            )

    def _end_with_the_body(self) -> None:
        self.built = Built(
            template=self.name, version=None, size_bytes=0, phases=self._log.timings()
        )
        self._context.report.done(self.name, "its body is finished")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures go to the log and the report on their way up."""
        report = self._context.report
        try:
            yield
        except LabError as error:
            self._log.write(f"\n{error}\n")
            report.failed(self.name, error.brief.removeprefix(f"{self.name}: "))
            raise
        except Stopped:
            report.failed(self.name, "stopped; the unfinished parts are removed")
            raise
