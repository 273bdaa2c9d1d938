"""host.check on ids: who shares them, who has another's, and moves that were cut off."""

from __future__ import annotations

from host.check.ids import findings
from host.finding import Status
from lab import labels
from tests.unit.test_ids import FIRST, SECOND, instance


def test_nobody_and_everybody_in_order() -> None:
    assert list(findings(())) == []
    (found,) = findings((instance("ann", FIRST), instance("bob", SECOND)))
    assert (found.status, found.found) == (Status.OK, "every container has ids of its own")


def test_those_that_share_are_named_with_one_command() -> None:
    (found,) = findings((instance("ann", None), instance("bob", FIRST), instance("eve", None)))
    assert (found.status, found.found, found.fix) == (
        Status.WARN,
        "without ids of their own: ann, eve",
        "invoke isolate --all",
    )


def test_a_move_that_was_cut_off_is_gone_on_with() -> None:
    (found,) = findings((instance("ann", None, {labels.ISOLATE: "{}"}),))
    assert (found.subject, found.fix) == ("ann", "invoke isolate ann")


def test_ranges_that_overlap() -> None:
    (found,) = findings((instance("ann", FIRST), instance("bob", FIRST)))
    assert found.subject == "bob"
    assert found.found == "some of its ids (165536:65536) are those of ann, too"
    assert found.fix == (
        "invoke stop bob && lxc config unset bob security.idmap.isolated && invoke isolate bob"
    )
