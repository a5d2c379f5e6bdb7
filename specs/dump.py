"""Resources to YAML, as ``loader`` reads it; one document each."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from ruamel.yaml import YAML

from specs.resource import Resource


def dump_yaml(resources: Iterable[Resource]) -> str:
    """The resources in their YAML form, in the order given; ``load`` gives equal ones back."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.explicit_start = True
    stream = StringIO()
    yaml.dump_all([resource.document() for resource in resources], stream)
    return stream.getvalue()
