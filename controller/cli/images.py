"""``images``: what scanners found in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from controller.actions import scans
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import bytes_of, database
from controller.cli.output import age, say, table, warn
from specs.trivy import LARGEST
from specs.vulnerabilities import SEVERITIES, VulnerabilityReport


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Images: hand in what a scanner found in them, and list it.",
        no_args_is_help=True,
    )
    group.command(name="report")(report)
    group.command(name="list")(list_)
    app.add_typer(group, name="images")


def report(
    source: Annotated[
        str, typer.Argument(help="What `trivy image --format json` wrote; - is standard input.", metavar="FILE")
    ],
    *,
    no_packages: Annotated[
        bool, typer.Option("--no-packages", help="The image has no package that Trivy knows; then a report names none.")
    ] = False,
) -> None:
    """Hand in a vulnerability report of an image, for the image policies that limit what may be found.

    Counts are kept, by severity, and the digests that the image goes by; the newest report of an image counts. Whatever
    waits for it goes on by itself. It takes a login of `skypanel_scanner`: whoever has one vouches for all images.

    **Examples**

        trivy image --format json --output report.json registry.example.com/shop/web:1
        skypanel images report report.json
    """
    data = bytes_of(source, most=LARGEST + 1)
    with database(declares=True, needs="skypanel_scanner") as conn:
        found, news = scans.hand_in(conn, source, data, no_packages=no_packages)
    say(f"image {found.digest}: {_words(found)}")
    if not news:
        warn("a report that is as new, or newer, is there: nothing was changed")


def list_(
    digest: Annotated[
        str, typer.Argument(help="Only of the image that goes by this digest.", metavar="DIGEST", show_default=False)
    ] = "",
    *,
    output: Output = Format.TABLE,
) -> None:
    """List the newest reports, and what was scanned.

    **Examples**

        skypanel images list
        skypanel images list sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    """
    with database() as conn:
        show_reports(scans.listed(conn, digest), output)


def show_reports(found: Sequence[VulnerabilityReport], output: Format) -> None:
    """What scanners found, image by image."""
    if output is not Format.TABLE:
        document = [
            {
                "digest": each.digest,
                "digests": list(each.digests),
                "scanner": each.scanner,
                "scannedAt": each.scanned_at,
                "reference": each.reference,
                "found": dict(each.found),
                "fixable": dict(each.fixable),
            }
            for each in found
        ]
        emit(document, output)
        return
    if not found:
        say("no report of an image was handed in")
        return
    rows = [
        (
            each.digest.partition(":")[2][:12],
            age(each.scanned_at),
            *(_count(each.found, each.fixable, name) for name in SEVERITIES[:2]),
            str(sum(each.found.get(name, 0) for name in SEVERITIES[2:])),
            each.reference,
        )
        for each in found
    ]
    table(("IMAGE", "AGE", "CRITICAL", "HIGH", "OTHERS", "REFERENCE"), rows, cut=("REFERENCE",))


def _count(found: Mapping[str, int], fixable: Mapping[str, int], severity: str) -> str:
    fixed = fixable.get(severity, 0)
    return f"{found.get(severity, 0)} ({fixed} fixable)" if fixed else str(found.get(severity, 0))


def _words(report: VulnerabilityReport) -> str:
    counts = ", ".join(f"{_count(report.found, report.fixable, name)} {name}" for name in SEVERITIES)
    return f"{counts}, scanned by {report.scanner} at {report.scanned_at:%Y-%m-%d %H:%M:%S} UTC"
