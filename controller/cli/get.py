"""``get``, ``watch``, ``apps`` and ``orgs``: lists of declared objects and how they are; their spec documents."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.actions.errors import ActionError
from controller.actions.paths import ALL
from controller.cli.formats import Format, WideOutput
from controller.cli.inputs import KindOrAll, Named, OrganizationFilter, complete_place, complete_tenant
from controller.cli.listing import Watch, show_list
from specs.kinds import RELEASED, TENANT, ancestors

Everything = Annotated[bool, typer.Option("--all", "-a", help="Include objects whose deletion is finished.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="get")(get)
    app.command(name="watch")(watch)
    app.command(name="apps")(apps)
    app.command(name="orgs")(orgs)


def get(
    kind: KindOrAll,
    name: Named = None,
    *,
    organization: OrganizationFilter = None,
    organizations: Annotated[
        bool, typer.Option("--all-organizations", "-A", help="Of every organization; the default.")
    ] = False,
    everything: Everything = False,
    watch: Watch = False,
    output: WideOutput = Format.TABLE,
) -> None:
    """Show declared objects and whether they are as declared.

    KIND is a kind in any form (`env`, `environments`), or `all`. A path with fewer names than the kind has shows all
    below it; with `all`, everything on the path and below it. YAML is what `apply -f` takes; JSON has the status as
    well.

    **Examples**

        skypanel get environments
        skypanel get env acme/shop --watch
        skypanel get domain shop.example.com -o json
        skypanel get all acme/shop -o yaml > shop.yaml
    """
    if organizations and organization:
        raise ActionError("-A and -n do not go together")
    show_list(kind, name, output, organizations=organization or (), everything=everything, watch=watch)


def watch(
    kind: KindOrAll = ALL,
    name: Named = None,
    *,
    organization: OrganizationFilter = None,
    output: WideOutput = Format.TABLE,
) -> None:
    """Keep showing declared objects and how they are, in one place, until interrupted; as `get --watch`.

    Through a pipe, each line that changes is said again.

    **Examples**

        skypanel watch
        skypanel watch env acme/shop
    """
    show_list(kind, name, output, organizations=organization or (), watch=True)


def apps(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Only of this organization, or this one app.", metavar="PATH", autocompletion=complete_place
        ),
    ] = None,
    *,
    organization: OrganizationFilter = None,
    watch: Watch = False,
    output: WideOutput = Format.TABLE,
) -> None:
    """List the apps and how they are; as `get apps`.

    **Examples**

        skypanel apps
        skypanel apps acme
    """
    show_list(ancestors(RELEASED)[-1], name, output, organizations=organization or (), watch=watch)


def orgs(
    name: Annotated[
        str | None, typer.Argument(help="Only this one.", metavar="NAME", autocompletion=complete_tenant)
    ] = None,
    *,
    watch: Watch = False,
    output: WideOutput = Format.TABLE,
) -> None:
    """List the organizations and how they are; as `get organizations`.

    **Examples**

        skypanel orgs
        skypanel orgs -o name
    """
    show_list(TENANT, name, output, watch=watch)
