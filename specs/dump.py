"""Resources to YAML, as ``loader`` reads it; one document each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from specs.resource import Resource


def dump_yaml(resources: Iterable[Resource]) -> str:
    """The resources in their YAML form, in the order given; ``load`` gives equal ones back."""
    return dump_documents(resource.document() for resource in resources)


def dump_documents(documents: Iterable[Mapping[str, Any]]) -> str:
    """Plain documents as YAML, keys in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.explicit_start = True
    yaml.width = 10_000  # a long image stays on the line of its field
    stream = StringIO()
    yaml.dump_all(list(documents), stream)
    return stream.getvalue()
