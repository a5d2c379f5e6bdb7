"""Configs and manifests of any content: facts, or a refusal."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.registry.documents import CONFIGS, INDEXES, MANIFESTS, Document
from controller.registry.errors import ImageRefused
from controller.registry.manifests import config, config_of, facts_of, image_for, is_index
from reconcilers.images import ImageFacts

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
NAMES = st.sampled_from(
    [
        *("Entrypoint", "Cmd", "Shell", "Healthcheck", "Test", "Interval", "config", "Config", "os", "architecture"),
        *("schemaVersion", "mediaType", "digest", "size", "platform", "manifests"),
    ]
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
OBJECT = st.dictionaries(NAMES, JSON, max_size=5)
WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), max_size=4)


@given(OBJECT, st.booleans())
def test_any_config_is_taken_or_refused(start: dict[str, Any], whole: bool) -> None:
    document = {"os": "linux", "architecture": "amd64", "config": start} if whole else start
    with suppress(ImageRefused):
        facts = facts_of("x", "x", config("x", json.dumps(document).encode()))
        assert all(isinstance(word, str) for word in (*facts.entrypoint, *facts.cmd, *facts.shell))


@given(OBJECT, st.sampled_from(["", "text/html", *MANIFESTS, *INDEXES]), st.booleans())
def test_any_manifest_is_taken_or_refused(found: dict[str, Any], media_type: str, whole: bool) -> None:
    document = Document(
        "sha256:x", media_type, json.dumps({**found, **({"schemaVersion": 2} if whole else {})}).encode()
    )
    with suppress(ImageRefused):
        if is_index("x", document):
            image_for("x", document, ("amd64", "arm64"))
        else:
            assert config_of("x", document).media_type in CONFIGS


@given(WORDS, WORDS, WORDS)
def test_words_are_taken_as_they_are(entrypoint: list[str], cmd: list[str], shell: list[str]) -> None:
    start = {"Entrypoint": entrypoint, "Cmd": cmd, "Shell": shell}
    as_config = {"os": "linux", "architecture": "arm64", "config": start}
    as_engine = {"Os": "linux", "Architecture": "arm64", "Config": start}
    wanted = ImageFacts("p", "arm64", tuple(entrypoint), tuple(cmd), None, tuple(shell) or ("/bin/sh", "-c"))
    assert facts_of("x", "p", config("x", json.dumps(as_config).encode())) == wanted == facts_of("x", "p", as_engine)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("SIGQUIT", "SIGQUIT"),
        ("winch", "SIGWINCH"),
        ("10", "SIGUSR1"),
        ("SIGRTMIN+3", "SIGRTMIN+3"),
        ("37", "SIGRTMIN+3"),
        ("SIGTERM", None),
        ("15", None),
        ("", None),
        (None, None),
        (15, None),
        ("SIGNOTHING", None),
        ("99", None),
        ("9" * 999, None),
    ],
)
def test_what_an_image_wants_to_be_stopped_with_has_one_name(said: object, found: str | None) -> None:
    document = {"Os": "linux", "Architecture": "amd64", "Config": {"StopSignal": said}}
    assert facts_of("x", "p", document).stop_signal == found
