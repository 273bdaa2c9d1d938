"""Commands about images."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import (
    build_context,
    command,
    count,
    explained_builds,
    keep_quotas,
    names,
    read_settings,
)
from lab import console
from lab.own_files import insist_on_settings
from lab.places import ROOT


@command(
    help={
        "only": "Templates to build, by comma: base,docker. Parents are added where needed.",
        "plan": "Show what would be built and why; change nothing.",
        "force": "Build also what has not changed, for instance to get security updates.",
        "keep_failed": "Keep the builder or the instance that failed, to inspect it.",
        "no_smoke": "Publish without checks.",
        "jobs": "How many templates to build at once. Default: by cores and memory.",
    }
)
def build_images(
    _c: Context,
    only: str = "",
    plan: bool = False,
    force: bool = False,
    keep_failed: bool = False,
    no_smoke: bool = False,
    jobs: str = "",
) -> None:
    """Build the templates that changed, check them, and give them to users."""
    from commands.views import images as view
    from images.build import pipeline
    from images.build.template_build import Built

    with build_context(keep_failed=keep_failed) as context:
        if plan:
            targets, decisions = pipeline.plan_images(context, names(only), force=force)
            for line in pipeline.deliveries(targets):
                console.print_text(line)
            built: tuple[Built, ...] = ()
        else:
            keep_quotas(context.settings, context.report)
            decisions, built = pipeline.build_images(
                context,
                names(only),
                force=force,
                smoke_test=not no_smoke,
                jobs=count("jobs", jobs),
                around=explained_builds(context),
            )
    if plan or pipeline.is_nothing(decisions):
        for decision in decisions:
            console.print_text(str(decision))
    if pipeline.is_nothing(decisions):
        console.print_text("Nothing to do.")
    if built:
        console.print_table("", view.PHASES, view.timetable(built), empty="")


@command(
    help={
        "only": "Templates to check, by comma: base,docker. Default: all.",
        "keep_failed": "Keep the instance that failed, to inspect it.",
    }
)
def smoke_images(_c: Context, only: str = "", keep_failed: bool = False) -> None:
    """Check the releases that users get now, each on fresh instances. Users keep what they have."""
    from commands.views import checks as view
    from images import smoke

    with build_context(keep_failed=keep_failed) as context:
        judged = smoke.judge_current(context, names(only))
    console.print_table("", view.COLUMNS, view.rows(judged), empty="")
    failure = smoke.failure(judged)
    if failure is not None:
        raise failure


@command(help={"json": "One JSON document on stdout."}, name="images")
def list_images(_c: Context, json: bool = False) -> None:
    """Show every release: version, state, driver, age, size, users, and why it is stale."""
    from commands.views import images as view
    from images import inventory

    with build_context() as context:
        document = inventory.images_document(context)
    if json:
        console.print_json(document)
        return
    console.print_table("", view.COLUMNS, view.rows(document), empty="No templates are defined.")
    for line in view.remarks(document):
        console.print_text(line)


@command(help={"template": "Its name or short name."})
def render(_c: Context, template: str) -> None:
    """Print the cloud-config that TEMPLATE's builder would boot with."""
    from images.templates.cloud_config import user_data
    from images.templates.lab_files import read_lab_files

    files = read_lab_files(ROOT, read_settings())
    definition = files.catalog.get(template)
    text = user_data(
        definition, files.distro, files.settings, files.mirrors, timezone=files.timezone
    )
    console.print_verbatim(text)


@command()
def check_definitions(_c: Context) -> None:
    """Check every definition, cloud-init source and the settings, without LXD."""
    from images.templates.validate import judge_files
    from lab.yaml.problems import BadFiles

    insist_on_settings(ROOT)
    problems = judge_files(ROOT)
    if problems:
        raise BadFiles(problems)
    console.print_text("Every definition, cloud-init source and setting is valid.")
