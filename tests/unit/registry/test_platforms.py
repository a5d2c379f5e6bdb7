"""Which image of an index is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.registry.documents import INDEXES, MANIFESTS, Document
from controller.registry.errors import ImageRefused
from controller.registry.manifests import goes_by_itself, image_for

ARCHITECTURES = ("amd64", "arm64")


def entry(number: int, os: object = "linux", architecture: object = "amd64", variant: object = None) -> dict[str, Any]:
    platform = {"os": os, "architecture": architecture, "variant": variant}
    return {"mediaType": MANIFESTS[1], "digest": f"sha256:{number:064x}", "size": 7, "platform": platform}


def index(*entries: Any) -> Document:
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEXES[1], "manifests": entries}).encode()
    return Document("", INDEXES[1], body)


def chosen(*entries: Any, architectures: tuple[str, ...] = ARCHITECTURES) -> int:
    return int(image_for("x", index(*entries), architectures).digest.removeprefix("sha256:"), 16)


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ([entry(1, architecture="arm64"), entry(2)], 2),
        ([entry(1, architecture="arm64", variant="v8")], 1),
        ([entry(1, os="windows"), entry(2, "unknown", "unknown"), entry(3, architecture="arm64")], 3),
        ([entry(1, variant="v3"), entry(2, variant="v1")], 2),
        ([entry(1, variant="v3"), entry(2, variant="v1"), entry(3)], 2),
        ([entry(1, architecture="x86_64"), entry(2)], 1),
        ([entry(1, os="Linux"), entry(2)], 1),
        ([entry(1, architecture="aarch64"), entry(2, architecture="arm64")], 1),
        ([entry(1, architecture="arm64", variant="v9"), entry(2, architecture="arm64", variant="v8")], 2),
        ([entry(1), entry(2)], 1),
        ([{"digest": 7}, "x", None, entry(4)], 4),
    ],
)
def test_the_plain_image_of_the_first_architecture_is_taken(entries: list[Any], wanted: int) -> None:
    assert chosen(*entries) == wanted


@pytest.mark.parametrize(
    ("entries", "itself"),
    [
        ([entry(1)], False),
        ([entry(1, variant="v3"), entry(2)], True),
        ([entry(1, architecture="x86_64"), entry(2)], True),
        ([entry(1, os="Linux"), entry(2, variant="v1"), entry(3, "unknown", "unknown")], True),
        ([entry(1, architecture="arm64", variant="v8"), entry(2, architecture="arm64", variant="v9")], True),
        ([entry(1), entry(1)], False),
        ([entry(1), entry(2, os="windows")], False),
        ([entry(1), entry(2, architecture="arm", variant="v6"), entry(3, architecture="arm", variant="v7")], False),
        ([entry(1), entry(2, architecture="arm64")], False),
        ([entry(1), entry(2, variant="v3"), entry(3, architecture="arm64")], True),
        ([entry(1), entry(2, architecture="arm64"), entry(3, architecture="arm64", variant="v9")], False),
        ([entry(2, architecture="arm64"), entry(3, architecture="arm64", variant="v9")], True),
    ],
)
def test_one_of_several_for_the_architecture_that_is_taken_goes_by_itself(entries: list[Any], itself: bool) -> None:
    assert goes_by_itself(index(*entries), ("amd64", "arm64")) is itself


@pytest.mark.parametrize("entries", [[], [entry(1, variant="v4")], [entry(1, architecture="arm", variant="v7")]])
def test_what_not_every_machine_runs_is_not_taken(entries: list[Any]) -> None:
    with pytest.raises(ImageRefused, match="no image for linux/amd64 or linux/arm64"):
        chosen(*entries)


@given(
    st.permutations([entry(1), entry(2, architecture="arm64"), entry(3, architecture="s390x"), entry(4, os="windows")])
)
def test_the_order_of_an_index_does_not_matter(entries: list[dict[str, Any]]) -> None:
    assert chosen(*entries) == 1
    assert chosen(*entries, architectures=("arm64", "amd64")) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["platform", "os", "mediaType", "digest", "size"]), inner)
    ),
)


@given(JSON)
def test_whatever_an_index_has_is_taken_or_refused(manifests: Any) -> None:
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEXES[1], "manifests": manifests}).encode()
    assert not goes_by_itself(Document("", INDEXES[1], body), ("amd64",))
    with pytest.raises(ImageRefused):
        image_for("x", Document("", INDEXES[1], body), ARCHITECTURES)
