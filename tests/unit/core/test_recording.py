"""The picture of a session: text that can be read and copied, whatever it plays."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from deploy.demo.recording import COLUMNS, Line, app_of_the_readme, drawn, text_of, wrapped

LONG = "environment acme/shop/production  RolledBack  " + "a word " * 40


def test_a_picture_is_xml_and_gives_its_text_back() -> None:
    lines = [Line("$ echo '<b> & \"c\"'", 0, typed=True), *(Line(part, 1.25) for part in wrapped(LONG)), Line("", 2)]
    picture = drawn(lines)
    assert ET.fromstring(picture).tag.endswith("svg")
    assert text_of(picture) == ["$ echo '<b> & \"c\"'", LONG, ""]
    assert all(len(part) <= COLUMNS for part in wrapped(LONG))


def test_what_does_not_move_is_seen_at_once() -> None:
    style = drawn([Line("x", 9)]).partition("</style>")[0]
    assert "opacity: 0 }" in style.partition("@keyframes")[2]
    assert "opacity" not in style.partition("@keyframes")[0]


def test_the_readme_shows_the_app_that_is_recorded() -> None:
    assert "kind: Domain" in app_of_the_readme()
