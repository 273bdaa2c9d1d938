"""`invoke` in a checkout: what is mistyped ends with the texts that `labstamp` has for it."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.main import program as invokes
from invoke.parser.parser import Parser
from invoke.program import Program

from commands.mistyped import useless_dry, wants_help, wrong_list_format
from commands.refusing import explaining
from commands.typed import typed


def refuse_mistyped(namespace: Collection, program: Program = invokes) -> None:
    """Exit where PROGRAM, `invoke`, loads tasks.py for a command line that NAMESPACE cannot take.

    invoke has no place for this: its program loads tasks.py after it has parsed the options that
    are its own, and prints what its parser says of the rest. So the rest is parsed here first.
    """
    core = getattr(program, "core", None)
    if core is None or program.args.complete.value:
        return  # `labstamp`, a test, or a shell that asks at TAB
    options = program.initial_context
    with explaining(namespace.task_names, options, program="invoke"):
        refused = wrong_list_format(program.args["list-format"].value)
        if wrong := refused or useless_dry(program.args.dry.value):
            raise wrong
        contexts = namespace.to_contexts()
        if command := wants_help(list(typed(core.unparsed, contexts, options)), options):
            # As after `invoke --help COMMAND`: the program prints it.
            program.args.help.value = command
            core.unparsed.clear()
            return
        Parser(contexts=contexts, initial=options).parse_argv(list(core.unparsed))
        asked = program.args.help.value
        if isinstance(asked, str) and asked not in namespace.task_names:
            raise ParseError(f"No idea what {asked!r} is!")
