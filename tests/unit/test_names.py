"""What may be a container's name, and what an account's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InputError
from lab.names import check_account, check_instance_name, nearest, nearest_name

FIX = "Next: Use 1 to 63 letters, digits and dashes; begin with a letter, do not end with a dash."
ACCOUNT_FIX = (
    "Next: Use 1 to 32 lower-case letters, digits, dashes and underscores; begin with a letter."
)
PINYIN = "\n      Write it in Latin letters, as in pinyin: zhang-san"


def near(name: str) -> str:
    return f"\n      Nearest valid name: {name}"


@pytest.mark.parametrize("name", ["bob", "B", "lab-3", "a" * 63, "x2"])
def test_names_of_containers(name: str) -> None:
    check_instance_name(name)


@pytest.mark.parametrize(
    ("name", "shown", "reason", "offer"),
    [
        ("Zhang.San", '"Zhang.San"', 'It contains ".".', near("zhang-san")),
        ("zhang_san", '"zhang_san"', 'It contains "_".', near("zhang-san --account zhang_san")),
        ("Zoë", '"Zoë"', 'It contains "ë".', near("zoe")),
        ("2021302111", '"2021302111"', 'It begins with "2".', near("s2021302111")),
        ("root.", '"root."', 'It contains ".".', ""),
        ("", '""', "It is empty.", ""),
        ("bob; rm -rf /", '"bob; rm -rf /"', 'It contains ";", " ", "/".', near("bob-rm-rf")),
        ("../x", '"../x"', 'It contains ".", "/".', near("x")),
        ("-x", '"-x"', 'It begins with "-".', near("x")),
        ("3d", '"3d"', 'It begins with "3".', near("s3d")),
        ("x-", '"x-"', "It ends with a dash.", near("x")),
        ("a" * 64, f'"{"a" * 64}"', "It has 64 characters.", near("a" * 32)),
        ("张三", '"张三"', 'It contains "张", "三".', PINYIN),
        ("bоb", '"bоb"', 'It contains "о".', PINYIN),  # a Cyrillic о
        ("bob\n", '"bob\\n"', 'It contains "\\n".', near("bob")),
        ("a\x1b[2J", '"a\\x1b[2J"', 'It contains "\\x1b", "[".', near("a-2j")),
    ],
)
def test_what_no_container_may_be_called(name: str, shown: str, reason: str, offer: str) -> None:
    with pytest.raises(InputError) as caught:
        check_instance_name(name)
    assert (
        str(caught.value) == f"{shown} cannot be the name of a container.\n  {reason}\n{FIX}{offer}"
    )


@pytest.mark.parametrize("name", ["bob", "a", "mary-ann", "zhang_san", "u1", "a" * 32])
def test_names_of_accounts(name: str) -> None:
    check_account(name)


@pytest.mark.parametrize(
    ("name", "reason", "offer"),
    [
        ("_bob", 'It begins with "_".', near("bob")),
        ("Zhang_San", 'It contains "Z", "S".', near("zhang_san")),
        ("李四", 'It contains "李", "四".', PINYIN),
        ("", "It is empty.", ""),
        ("Bob", 'It contains "B".', near("bob")),
        ("bob; rm -rf /", 'It contains ";", " ", "/".', near("bob-rm-rf")),
        ("../x", 'It contains ".", "/".', near("x")),
        ("-x", 'It begins with "-".', near("x")),
        ("1st", 'It begins with "1".', near("s1st")),
        ("a" * 33, "It has 33 characters.", near("a" * 32)),
        ("bob\n", 'It contains "\\n".', near("bob")),
    ],
)
def test_what_no_account_may_be_called(name: str, reason: str, offer: str) -> None:
    with pytest.raises(InputError) as caught:
        check_account(name)
    shown = name.replace("\n", "\\n")
    assert str(caught.value) == f'"{shown}" cannot be an account.\n  {reason}\n{ACCOUNT_FIX}{offer}'


@pytest.mark.parametrize(
    "name",
    ["root", "voice", "default", "www-data", "nobody", "docker", "ubuntu", "systemd-oom", "tape"],
)
def test_accounts_of_the_system_are_not_for_people(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_account(name)
    assert str(caught.value) == (
        f'"{name}" cannot be an account.\n'
        "  That name belongs to the system.\n"
        "Next: Choose another name."
    )


def test_the_nearest_known_word() -> None:
    known = ["base", "docker-nested", "docker", "xfce-xrdp"]
    assert nearest("dokcer", known) == "docker"
    assert nearest("tensorflow", known) is None


@given(st.text(max_size=80))
def test_what_is_offered_can_be_had(name: str) -> None:
    offered = nearest_name(name)
    if offered is not None:
        check_instance_name(offered)
        check_account(offered)
