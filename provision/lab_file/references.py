"""What one place of containers.yaml says of another, judged before the types are. Pure.

On the tree as it was read, so that these problems are told beside those of the values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from lab.errors import InputError
from lab.names import check_account, check_instance_name, did_you_mean, quote
from lab.yaml.problems import Problem
from lab.yaml.tree import Loc, Tree, dotted
from provision.keys.public_key import BadKey, looks_like_key, parse_key
from provision.lab_file.document import EMPTY_MAPPINGS, LIMITS, OWN

_PRIVATE: Final = ("PRIVATE KEY", "PuTTY-User-Key-File")


def fill_empty(tree: Tree) -> None:
    """`alice:` with nothing behind it is `alice: {}`, and one key may stand without a list."""
    top = tree.value
    if not isinstance(top, dict):
        return
    for word in EMPTY_MAPPINGS:
        if word in top and top[word] is None and word != "containers":
            top[word] = {}
    containers = top.get("containers")
    for entries in (top.get("sizes"), top.get("groups"), containers):
        _fill(entries)
    for entry in _mapping(containers).values():
        people = _mapping(entry).get("people")
        _fill(people)
        for person in _mapping(people).values():
            if isinstance(person, dict) and isinstance(person.get("keys"), str):
                person["keys"] = [person["keys"]]


def problems_between(tree: Tree, shares: Collection[str]) -> Iterator[Problem]:
    """SHARES: the names that lab.yaml has."""
    top = _mapping(tree.value)
    groups, sizes = _mapping(top.get("groups")), _mapping(top.get("sizes"))
    containers = _mapping(top.get("containers"))
    givers: list[tuple[Loc, Mapping[str, Any]]] = [
        (("defaults",), _mapping(top.get("defaults"))),
        *((("groups", name), _mapping(one)) for name, one in groups.items()),
        *((("containers", name), _mapping(one)) for name, one in containers.items()),
    ]
    for loc, giver in givers:
        yield from _named(tree, (*loc, "size"), giver.get("size"), "sizes", sizes)
        yield from _shares(tree, (*loc, "shares"), giver.get("shares"), shares)
    yield from _namesakes(tree, containers)
    for name, entry in containers.items():
        one = _mapping(entry)
        loc = ("containers", name)
        yield from _named(tree, (*loc, "group"), one.get("group"), "groups", groups)
        yield from _people(tree, loc, one.get("people"), name)
        group = groups.get(str(one.get("group")))
        if one.get("reason") is None:
            yield from _exceptions(tree, loc, one, _mapping(group), sizes)


def _named(
    tree: Tree, loc: Loc, name: object, where: str, known: Collection[str]
) -> Iterator[Problem]:
    if isinstance(name, str) and name not in known:
        meant = did_you_mean(name, known)
        yield _problem(tree, loc, f"{where} has no {quote(name)}{meant}")


def _shares(tree: Tree, loc: Loc, names: object, known: Collection[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, name in enumerate(names if isinstance(names, list) else ()):
        if not isinstance(name, str):
            continue
        if name not in known:
            meant = did_you_mean(name, known)
            yield _problem(
                tree, (*loc, number), f"lab.yaml has no share {quote(name)}{meant}: invoke shares"
            )
        if name in seen:
            yield _problem(tree, (*loc, number), f"the share {quote(name)} is given twice")
        seen.add(name)


def _namesakes(tree: Tree, names: Collection[str]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.lower(), name)
        if other != name:
            line = tree.line(("containers", other))
            yield _problem(
                tree,
                ("containers", name),
                f"{quote(name)} and {quote(other)} (line {line}) are one name for LXD and DNS: "
                "they differ in upper and lower case only",
            )


def _people(tree: Tree, loc: Loc, people: object, name: str) -> Iterator[Problem]:
    accounts = _mapping(people)
    for number, account in enumerate(accounts):
        if number:
            yield _problem(
                tree,
                (*loc, "people", account),
                f"{quote(account)} is a second person in {quote(name)}: several accounts in one "
                "container are not supported yet; give each person a container",
            )
        for problem in _keys(_mapping(accounts[account]).get("keys")):
            yield _problem(tree, (*loc, "people", account, "keys", problem[0]), problem[1])
    if not accounts and _is_name(name):
        try:
            check_account(name)
        except InputError as error:
            yield _problem(
                tree,
                loc,
                f"{quote(name)} cannot be an account ({error.details}): name the account, "
                "people: {ACCOUNT: {}}",
            )


def _keys(keys: object) -> Iterator[tuple[int, str]]:
    """Of keys that stand in the file; what a private one says is not repeated."""
    for number, key in enumerate(keys if isinstance(keys, list) else ()):
        if not isinstance(key, str):
            continue
        if any(mark in key for mark in _PRIVATE):
            yield number, "this is a private key: give the public one, and make a new pair"
        elif looks_like_key(key):
            try:
                parse_key(key)
            except BadKey as problem:
                yield number, str(problem)


def _exceptions(
    tree: Tree,
    loc: Loc,
    own: Mapping[str, Any],
    group: Mapping[str, Any],
    sizes: Mapping[str, Any],
) -> Iterator[Problem]:
    """A container that differs from its group has to say why."""
    said = {**_limits_of(group, sizes), **group}
    other = [
        word
        for word in OWN
        if own.get(word) is not None and said.get(word) is not None and own[word] != said[word]
    ]
    if other:
        also = f" (also of {', '.join(other[1:])})" if other[1:] else ""
        group_name = quote(str(own.get("group")))
        yield _problem(
            tree,
            (*loc, other[0]),
            f"the group {group_name} says otherwise{also}; give the reason, reason: TEXT",
        )


def _limits_of(giver: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    size = giver.get("size")
    found = _mapping(sizes.get(size)) if isinstance(size, str) else {}
    return {word: found[word] for word in LIMITS if found.get(word) is not None}


def _fill(entries: object) -> None:
    if isinstance(entries, dict):
        for key in [key for key, entry in entries.items() if entry is None]:
            entries[key] = {}


def _problem(tree: Tree, loc: Loc, text: str) -> Problem:
    return tree.problem(loc, f"{dotted(loc)}: {text}")


def _is_name(name: str) -> bool:
    try:
        check_instance_name(name)
    except InputError:
        return False
    return True


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
