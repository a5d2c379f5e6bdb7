"""What an environment must pass before anything of it is written, in this order.

A gate of ``ADMISSION`` is pure: ``plan`` and ``apply`` ask it too, before the row is there. What is refused there is
the document's fault, and stalls. ``home`` looks at what lives: what is missing there comes by itself, and is awaited.
"""

from __future__ import annotations

from collections.abc import Callable

from reconcilers.objects import HomeNetwork
from reconcilers.outcomes import NotReadyError
from reconcilers.ports import Live, Options
from specs.problems import InvalidSpec, NoImage, NotSupported, Problem, RefusedError
from specs.registries import check_registry
from specs.snapshots import EnvironmentSnapshot

Gate = Callable[[EnvironmentSnapshot, Options], None]


def has_an_image(snapshot: EnvironmentSnapshot, _: Options) -> None:
    """There is something to run.

    Raises:
        NoImage: no image is named, and none was deployed.
    """
    if snapshot.image_ref is None:
        hint = "it runs what is deployed: a row of paas_deployments with an image that succeeded; or set image_ref"
        raise NoImage([Problem("image_ref", None, "nothing was deployed yet", hint, ("image_ref",))])


def comes_from_an_allowed_registry(snapshot: EnvironmentSnapshot, options: Options) -> None:
    """The image is not on a private host that the operator has not listed.

    Raises:
        InvalidSpec: it is.
    """
    try:
        check_registry(snapshot.image_ref or "", options.allowed_registries)
    except RefusedError as error:
        raise InvalidSpec([Problem("image_ref", None, error.message, error.hint, ("image_ref",))]) from None


def says_who_it_is(snapshot: EnvironmentSnapshot, options: Options) -> None:
    """Where that is required, the user is declared, and so root is nobody by accident.

    Raises:
        InvalidSpec: it is left to the image.
    """
    if options.require_run_as and snapshot.run_as is None:
        hint = 'set the user that it runs as, such as "1000:1000"; "0:0" where it must be root'
        raise InvalidSpec([Problem("run_as", None, "is required by SKYPANEL_REQUIRE_RUN_AS", hint, ("run_as",))])


def leaves_the_platform_its_host(snapshot: EnvironmentSnapshot, options: Options) -> None:
    """No domain is the HTTP API's host or the console's: whoever has that gets the tokens of all who call it.

    Raises:
        InvalidSpec: one is.
    """
    problems = [
        Problem(
            f"domains[{domain.hostname}].hostname",
            None,
            f"is kept for the platform ({setting})",
            "take another one",
            ("domains", index, "hostname"),
        )
        for index, domain in enumerate(snapshot.domains)
        if (setting := options.keeps(domain.hostname))
    ]
    if problems:
        raise InvalidSpec(problems)


def has_its_effect(snapshot: EnvironmentSnapshot, _: Options) -> None:
    """Every declared field does something.

    Raises:
        NotSupported: nothing is built for one of them yet.
    """
    if problems := list(snapshot.unsupported()):
        raise NotSupported(problems)


ADMISSION: tuple[Gate, ...] = (
    has_an_image,
    comes_from_an_allowed_registry,
    says_who_it_is,
    leaves_the_platform_its_host,
    has_its_effect,
)


def admit(snapshot: EnvironmentSnapshot, options: Options) -> None:
    """Pass ``ADMISSION``.

    Raises:
        InvalidSpec: the first gate that refuses says why.
    """
    for gate in ADMISSION:
        gate(snapshot, options)


def home(snapshot: EnvironmentSnapshot, live: Live) -> HomeNetwork:
    """The organization's network is there.

    Raises:
        NotReadyError: not yet.
    """
    network = live.network_of(str(snapshot.organization.id))
    if network is None:
        raise NotReadyError(
            "NetworkNotReady",
            f"the network of organization {snapshot.organization.slug} does not exist yet: see "
            f"`skypanel describe organization {snapshot.organization.slug}`",
            woken=True,
        )
    return HomeNetwork(network.id, network.name)
