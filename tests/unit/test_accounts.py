"""The names that are taken in an image: stored with it, read when somebody is to get an account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from images.releases.accounts import accounts_property
from lab import labels
from lab.lxd.model import InstanceSpec
from lab.release import ACCOUNTS, accounts_of
from tests.support.builders.stamping import a_lab, bob, refusal, stamp
from tests.support.fake_lxd.lxd import FakeLxd


def test_accounts_and_groups_are_stored_by_name_alone() -> None:
    lxd = FakeLxd()
    origin = lxd.import_image(Path(__file__), None, properties={})
    lxd.create(InstanceSpec(name="body", image=origin.fingerprint))
    assert accounts_property(lxd, "body") == {}
    lxd.write_file("body", "/etc/passwd", b"root:x:0:0::/root:/bin/sh\nirc:x:39:39::/:/x\n+\n")
    lxd.write_file("body", "/etc/group", b"root:x:0:\nvoice:x:22:irc\n\n+::\nbroken\n")
    assert accounts_property(lxd, "body") == {ACCOUNTS: "irc root voice"}


def test_an_account_is_judged_by_its_image() -> None:
    lxd = a_lab()
    kept = lxd.store.images["base-20261121.1"]
    kept.image = replace(kept.image, properties={**kept.image.properties, ACCOUNTS: "guests root"})
    assert accounts_of(kept.image) == {"guests", "root"}
    assert refusal(lxd, account="guests").startswith('"guests" cannot be an account in base')
    stamp(lxd, bob())
    assert labels.ACCOUNTS not in lxd.store.instances["default", "bob"].config
    # Another template's image tells nothing: only what every image has is known.
    stamp(lxd, bob(name="eve", account="guests", template="docker"))


def test_a_name_that_differs_in_case_only_changes_nothing() -> None:
    lxd = a_lab()
    stamp(lxd, bob())
    said = refusal(lxd, name="Bob", account="bob")
    assert said.startswith('The names "Bob" and "bob" differ in upper and lower case only.')
