"""The range of ids of a provisioning: the home's, or a new one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lab.lxd.idmap import IdRange, kept_range
from provision.create.actions import Action, CreateInstance
from provision.create.facts import Facts
from provision.create.request import Request
from provision.ids.ranges import IdFacts, Person, choose, refuse_second


def ids_of(request: Request, facts: Facts) -> IdRange:
    """The same for life: what the kept home has, as long as no other container has it."""
    kept = kept_range(facts.home.config) if facts.home is not None else None
    return choose(facts.ids, _person(request, facts), kept)


def refuse_taken_ids(
    actions: Sequence[Action], request: Request, facts: Facts, now: IdFacts
) -> None:
    """CapacityError where a new container of ACTIONS is not alone with its range."""
    person = _person(request, facts)
    made = {(one.project, one.name): one.created_at for one in now.instances}
    for action in actions:
        if isinstance(action, CreateInstance) and action.ids is not None:
            since = made.get((person.project, person.name))
            refuse_second(facts.ids, now, person, action.ids, since)


def _person(request: Request, facts: Facts) -> Person:
    home = facts.home
    where = (home.pool, home.name) if home else (facts.pool.name, facts.home_name)
    return Person(project=facts.project, name=request.name, home=where)
