"""What a user types is refused where it enters, with a message that says how to mend it."""

from pathlib import Path
from typing import Any

import pytest

from deploy import engine
from deploy.engine.errors import LabError
from deploy.engine.forward import Forward
from deploy.engine.images import load
from deploy.engine.paths import lab_paths


@pytest.mark.parametrize("name", ["", "Upper", "-a", "1a", "a_b", "a/b", "..", "a" * 21])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        lab_paths(name)


def test_a_root_too_long_for_a_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYPANEL_LAB", "/" + "x" * 100)
    with pytest.raises(LabError, match="too long"):
        lab_paths("demo")


def test_a_root_below_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYPANEL_LAB", "/run/lab")
    with pytest.raises(LabError, match="choose a folder outside"):
        lab_paths("demo")


@pytest.mark.parametrize(
    ("text", "host", "node", "listen"), [("8080:80", 8080, 80, "127.0.0.1"), ("0.0.0.0:1:2", 1, 2, "0.0.0.0")]
)
def test_a_forward_is_read(text: str, host: int, node: int, listen: str) -> None:
    assert Forward.parse(text) == Forward(host, node, listen)
    assert Forward.parse(str(Forward.parse(text))) == Forward(host, node, listen)


@pytest.mark.parametrize("text", ["", "80", "0:80", "80:65536", "a:80", "::80:80", "80:http"])
def test_what_is_no_forward_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(LabError, match="such as 8080:80"):
        Forward.parse(text)


@pytest.mark.parametrize("name", ["nonesuch", "web:99", "web:"])
def test_an_unknown_image_is_refused_with_the_list(name: str) -> None:
    if name == "web:":
        assert [image.reference[-5:] for image in load([name])] == ["web:1", "web:2"]
        return
    with pytest.raises(LabError, match="there are pause:1, web:1, web:2"):
        load([name])


@pytest.mark.parametrize(
    ("options", "word"),
    [({"nodes": 0 - 1}, "1 to 20 nodes"), ({"managers": 2}, "can be managers"), ({"suite": "sarge"}, "choose one of")],
)
def test_a_lab_that_cannot_be_built_is_refused_before_anything_is_written(
    own_root: Path, options: dict[str, Any], word: str
) -> None:
    with pytest.raises(LabError, match=word):
        engine.up("demo", **options)
    assert not (own_root / "demo").exists()


def test_taking_down_a_lab_that_is_not_there_is_harmless(own_root: Path) -> None:
    engine.down("nonesuch")
    assert engine.find("nonesuch") is None
    with pytest.raises(LabError, match=r"python -m deploy\.engine up nonesuch"):
        engine.require("nonesuch")
