"""What `invoke host.check` found, for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from host.finding import Finding, Status

COLUMNS = ("check", "about", "status", "found")


def row(one: Finding) -> tuple[str, str, str, str]:
    return one.name, one.subject or "-", one.status.value, one.found


def advice(findings: Sequence[Finding]) -> str:
    """For people: the effect and the fix of each fault, a paragraph each; empty without faults."""
    return "\n\n".join(_paragraph(one) for one in findings if one.status is not Status.OK)


def _paragraph(one: Finding) -> str:
    lines = [f"{one.name}{f' ({one.subject})' if one.subject else ''}: {one.found}"]
    if one.why:
        lines.append(f"  effect: {one.why}")
    if one.fix:
        lines.append(f"  fix: {one.fix}")
    return "\n".join(lines)
