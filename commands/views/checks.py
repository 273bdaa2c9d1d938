"""What `invoke smoke-images` found as rows for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from images.smoke import GONE, Judged

COLUMNS = ("template", "version", "checks", "outcome", "seconds", "failed")


def rows(judged: Sequence[Judged]) -> Iterator[list[str]]:
    for one in judged:
        passed = sum(verdict.passed for verdict in one.verdicts)
        outcome = "FAILED" if one.failed else "passed" if one.verdicts else "not checked"
        told = [verdict for verdict in one.verdicts if not verdict.passed]
        why = "; ".join(
            f"{verdict.name}{' (skipped)' if verdict.skipped else ''}: {verdict.why}"
            for verdict in told
        )
        yield [
            one.template,
            one.version,
            f"{passed} of {len(one.verdicts)}",
            outcome,
            f"{one.seconds:.0f}",
            why or ("-" if one.verdicts else GONE),
        ]
