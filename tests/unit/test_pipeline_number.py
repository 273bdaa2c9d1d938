"""A change of the code that makes images raises PIPELINE, or nothing would be built again."""

import json

import pytest

from tests.unit.pipeline_code import RECORDED, hash_of, now

_NEXT = (
    "Does the change alter what is in an image? Then raise PIPELINE in images/build/recipe.py: "
    "every image is built again. In both cases record the code: python -m tests.unit.pipeline_code"
)


def test_the_number_was_considered_when_the_code_changed() -> None:
    recorded = json.loads(RECORDED.read_text())
    differing = [name for name, value in now().items() if recorded.get(name) != value]
    assert not differing, f"changed since it was recorded: {', '.join(differing)}. {_NEXT}"
    assert recorded.keys() == now().keys(), _NEXT


CODE = 'import os\n\ndef f(a):\n    """One."""\n    return f"{a}x"  # why\n'


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ('def f(a):\n    """Other."""\n\n    return (f"{a}x")\n', True),
        ('import os\n\ndef f(a):\n    """One."""\n    return f"{a}y"  # why\n', False),
        ('import os\n\ndef f(a):\n    """One."""\n    print()\n    return f"{a}x"  # why\n', False),
        ("def f(a=None):\n    return f'{a}x'\n", False),
    ],
)
def test_what_counts_as_a_change(changed: str, *, same: bool) -> None:
    assert (hash_of(changed) == hash_of(CODE)) is same
