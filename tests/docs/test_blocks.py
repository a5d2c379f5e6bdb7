"""Every block of README and docs is checked: data by what it is, what is typed or shown by a test that does it."""

from __future__ import annotations

import ast
import io
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deploy.prometheus.programs import promtool
from specs.loader import load_all
from tests.docs.blocks import ROOT, Block, blocks, pages
from tests.docs.claims import CLAIMS
from tests.docs.session import TYPED, follow

EVERY = [block for page in pages() for block in blocks(page)]
DATA = ("yaml", "sql", "python", "toml", "ini")
LOOKS_TYPED = re.compile(r"^\s*(\$ |skypanel |docker |make |psql |curl |apt-get |SELECT |error: )", re.MULTILINE)


def of(*languages: str) -> list[Block]:
    return [block for block in EVERY if block.language in languages]


def test_every_block_says_what_it_is() -> None:
    known = {*DATA, *TYPED, "text"}
    assert [b.place for b in EVERY if b.language not in known] == []


def test_what_is_typed_or_shown_is_done_by_a_test() -> None:
    for block in of(*TYPED, "text"):
        if block.language == "text" and not LOOKS_TYPED.search(block.text):
            continue  # a drawing
        claim = CLAIMS.get((block.page, block.heading))
        assert claim, f"{block.place}: nothing does what is below {block.heading!r}: tests/docs/claims.py"
        source = (ROOT / claim).read_text(encoding="utf-8")
        assert block.page in source, f"{claim} does not name {block.page}"
        assert f'"{block.heading}"' in source, f"{claim} does not name {block.heading!r}"


def test_no_claim_is_left_of_what_is_no_more() -> None:
    headings = {(block.page, block.heading) for block in of(*TYPED, "text")}
    assert sorted(CLAIMS.keys() - headings) == []


@pytest.mark.parametrize("block", of("yaml"), ids=lambda block: block.place)
def test_yaml_is_a_spec_or_a_part_of_one_or_a_file_of_prometheus(block: Block, tmp_path: Path) -> None:
    documents = list(YAML(typ="safe").load_all(io.StringIO(block.text)))
    if any("scrape_configs" in document for document in documents):
        (tmp_path / "skypanel.rules.yml").write_bytes((ROOT / "deploy/prometheus/skypanel.rules.yml").read_bytes())
        (tmp_path / "prometheus.yml").write_text(block.text)
        check = [str(promtool()), "check", "config", str(tmp_path / "prometheus.yml")]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    if block.page == "docs/extending.md":
        assert documents[0]["kind"] == "Mailbox"  # of the example's package; tests/e2e/test_extending.py applies it
        return
    if not all("kind" in document for document in documents):  # a part: of what has an image, else of what is shortest
        (part,) = documents
        whole = "kind: App\n"
        if "image" in part.get("spec", {}):
            whole = "kind: Environment\nmetadata: {name: production, app: shop, organization: acme}\n"
        documents_text = f"apiVersion: skypanel.io/v1\n{whole}{block.text}"
        assert part.keys() <= {"metadata", "spec"}
    else:
        documents_text = block.text
    (tmp_path / "shown.yaml").write_text(documents_text)
    assert load_all([tmp_path / "shown.yaml"])


@pytest.mark.parametrize("block", of("toml"), ids=lambda block: block.place)
def test_toml_is_toml(block: Block) -> None:
    assert tomllib.loads(block.text)["project"]


@pytest.mark.parametrize("block", of("python"), ids=lambda block: block.place)
def test_python_is_python(block: Block) -> None:
    assert ast.parse(block.text).body


@pytest.mark.parametrize("block", of("ini"), ids=lambda block: block.place)
def test_settings_are_settings(block: Block) -> None:
    known = (ROOT / "controller/settings.py").read_text(encoding="utf-8")
    for word in shlex.split(block.text, comments=True):
        name = word.partition("=")[0]
        assert name.startswith("OTEL_") or name in known or name.removeprefix("SKYPANEL_").lower() in known, name


def test_the_scenario_of_the_contributors_page_is_one() -> None:
    (block, *_) = (b for b in blocks("CONTRIBUTING.md", "Tests") if b.language == "python")
    source = (ROOT / "tests/sim/scenarios/organization.py").read_text(encoding="utf-8")
    without_comments = re.sub(r"  #.*", "", block.text)
    assert without_comments in source, "tests/sim/scenarios/organization.py"


def test_every_make_target_that_a_page_names_is_there() -> None:
    claimed = [("CONTRIBUTING.md", "Contributing"), ("CONTRIBUTING.md", "Tests"), ("README.md", "Two commands")]
    typed = [block for claim in claimed for block in blocks(*claim) if block.language == "sh"]
    commands = [command for block in typed for command in block.commands()]
    assert commands
    for command in commands:
        shown = command.partition("#")[0].replace("make ", "make --dry-run ")
        done = subprocess.run(["bash", "-c", shown], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_a_wrong_file_is_answered_as_the_reference_shows(tmp_path: Path) -> None:
    (first, *_) = blocks("docs/reference/specs.md", "Specs")
    wrong = first.text.replace("port: 8080", "replcas: 2").replace("replicas: 2", "port: 0", 1)
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/hello.yaml").write_text(wrong)
    follow(blocks("docs/reference/specs.md", "Files"), tmp_path)
