"""What SOPS itself has encrypted is opened as it was, and nothing else is; no message has a value."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.vault.sops import Identities
from specs.encrypted import UnopenedError, leaves, unopened
from specs.loader import SpecFilesError, load_all, load_contents
from specs.problems import RefusedError
from specs.yaml_syntax import Position
from specs.yaml_text import YamlDocument, read_documents

SOPS = Path(sys.executable).parent / "sops"
MARK = "m4rk-not-to-be-seen"
KEY = pyrage.x25519.Identity.generate()
MINE = Identities(f"# made by a test\n{KEY}\n")
Encrypt = Callable[..., str]
SHAPES = {
    "scalars": 'a: text\nb: 12\nc: 1.5\nd: true\ng: ""\nh: null\nn: -7\nz: false\nt: "2026-01-01"\nu: "äöü ☃ 🙂"\n',
    "numbers": "a: 0\nb: 12345678901\nc: 1e3\nd: 0.1\ne: 123456789.123\nf: 2.0\n"
    "g: 1e21\nh: 1.5e-7\ni: -0.25\nj: 100000.0\n",
    "nested": 'a: {b: {c: {d: deep}}}\ni:\n    j: "with: colon"\n    k_unencrypted: plain\ne: {}\n',
    "lists": 'e: [1, "x", {f: no, g: [2.5]}, [y, [z, ""]], []]\n',
    "comments": "# first\na: x  # beside\n# between\nb:\n    # below\n    - y # item\n# last\n",
    "lines": "a: |\n    one\n    two\nb: >-\n    folded\n    text\nc: \"tab\\tand\\nbreak\"\nd: '  spaces  '\n",
    "documents": "a: 1\n---\nb: two\n---\nc: {d: [x]}\n",
    "keys": '"a:b": {c: x}\n"with space": y\n"": z\nENC: v\n',
    "aliases": "a: &a {x: 1}\nb: *a\n",
}
OPTIONS = {
    "all": [],
    "encrypted_regex": ["--encrypted-regex", "^(a|b|e)$"],
    "unencrypted_regex": ["--unencrypted-regex", "^(a|i)$"],
    "encrypted_suffix": ["--encrypted-suffix", "a"],
    "unencrypted_suffix": ["--unencrypted-suffix", "_unencrypted"],
    "mac_only_encrypted": ["--mac-only-encrypted", "--encrypted-regex", "^(a|b|c)$"],
    "encrypted_comment_regex": ["--encrypted-comment-regex", "between"],
}


@pytest.fixture
def encrypt(tmp_path: Path) -> Encrypt:
    """What SOPS makes of a text, for some recipient."""

    def made(text: str, *options: str, to: str | None = None) -> str:
        file = tmp_path / "plain.yaml"
        file.write_text(text)
        recipient = ["--age", to or str(KEY.to_public())]
        words = [str(SOPS), "--disable-version-check", "--encrypt", *recipient, *options, str(file)]
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout

    return made


def documents(text: str) -> list[YamlDocument]:
    found = list(read_documents(text))
    assert all(isinstance(each, YamlDocument) for each in found)
    return found  # type: ignore[return-value]


def opened(text: str, identities: Identities = MINE) -> list[Any]:
    return [each.data for each in identities.open(documents(text))]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_what_sops_has_encrypted_is_opened_as_it_was(options: list[str], encrypt: Encrypt) -> None:
    text = "---\n".join(SHAPES.values())
    for found, wanted in zip(opened(encrypt(text, *options)), documents(text), strict=True):
        assert found == wanted.data


def test_an_encrypted_comment_in_a_list_is_no_entry_and_moves_no_place(encrypt: Encrypt) -> None:
    text = encrypt("a:\n    # about\n    - x\n    - [y]\n")
    (found,) = MINE.open(documents(text))
    assert "type:comment" in text
    assert found.data == {"a": ["x", ["y"]]}
    assert found.sealed == {("a", 0), ("a", 1, 0)}
    lines = text.splitlines()
    at = found.position(("a", 0)).line
    assert "type:str" in lines[at - 1]
    with pytest.raises(UnopenedError, match="MAC is of other values"):
        opened(text.replace(lines[at - 1], lines[at - 1].replace("type:str", "type:comment")))


def test_it_is_known_which_values_were_encrypted(encrypt: Encrypt) -> None:
    text = encrypt(
        f"kind: ConfigVars\nspec: {{variables: {{A: {MARK}, B: [x]}}}}\n", "--encrypted-regex", "^variables$"
    )
    (found,) = MINE.open(documents(text))
    assert found.sealed == {("spec", "variables", "A"), ("spec", "variables", "B", 0)}
    assert MARK not in text
    assert found.position(("spec", "variables", "A")).line == 4


def test_any_change_is_noticed(encrypt: Encrypt) -> None:
    text = encrypt(f"a: {MARK}\nb: {MARK}\nc: [one, two]\nplain_unencrypted: x\n")
    a, b = (re.search(rf"^{name}: (.*)$", text, re.MULTILINE)[1] for name in "ab")  # type: ignore[index]
    changed = {
        "moved": text.replace(a, "_").replace(b, a).replace("_", b, 1).replace("plain" + b, "plain_"),
        "taken away": text.replace(f"b: {b}\n", ""),
        "added": "new: x\n" + text,
        "a plain one": text.replace("plain_unencrypted: x", "plain_unencrypted: y"),
        "in clear": text.replace(f"b: {b}", "b: x"),
        "a bit": text.replace(a[30:33], "AAA" if a[30:33] != "AAA" else "BBB", 1),
        "type": text.replace(a, a.replace("type:str", "type:int")),
        "the time": re.sub(r'lastmodified: "20', 'lastmodified: "19', text),
        "no mac": re.sub(r"    mac: .*\n", "", text),
        "another document": text + "---\na: x\n",
        "swapped in a list": swapped(text),
    }
    for what, each in changed.items():
        assert each != text, what
        with pytest.raises(UnopenedError) as error:
            opened(each)
        assert MARK not in str(error.value) + error.value.hint, what
    assert opened(text)[0]["b"] == MARK


def swapped(text: str) -> str:
    one, two = re.findall(r"^ +- (ENC.*)$", text, re.MULTILINE)[:2]
    return text.replace(one, "_1_").replace(two, one).replace("_1_", two)


def test_only_age_and_only_a_key_that_is_given_opens_it(encrypt: Encrypt) -> None:
    other = pyrage.x25519.Identity.generate()
    text = encrypt("a: x\n", to=f"{other.to_public()}")
    with pytest.raises(UnopenedError, match=f"no key that is given opens it: it is encrypted for {other.to_public()}"):
        opened(text)
    assert opened(encrypt("a: x\n", to=f"{other.to_public()},{KEY.to_public()}")) == [{"a": "x"}]
    assert opened(text, Identities(f"{KEY}\n{other}")) == [{"a": "x"}]
    elsewhere = re.sub(
        r"    age:\n(?:        .*\n)+", "    kms:\n        - arn: arn:aws:kms:x\n          enc: eA==\n", text
    )
    with pytest.raises(UnopenedError, match="is encrypted for kms, and not for age, which alone is opened"):
        opened(elsewhere)
    both = text.replace(
        "sops:\n", "sops:\n    hc_vault:\n        - vault_address: http://127.0.0.1:1\n          enc: x\n"
    )
    assert opened(both, Identities(str(other))) == [{"a": "x"}], "nobody else is asked"
    with pytest.raises(UnopenedError, match="groups of keys"):
        opened(text.replace("sops:\n", "sops:\n    shamir_threshold: 2\n"))


@pytest.mark.parametrize(
    "metadata",
    ["{}", "{age: x, mac: y}", "{age: [{recipient: 1, enc: [2]}]}",
     "{age: [{recipient: a, enc: '!!'}]}", "{age: [null]}",
     '{age: [{recipient: "x\\u001b[0m", enc: eA==}], mac: 1, lastmodified: 2}'],
)  # fmt: skip
def test_metadata_that_is_none_is_refused(metadata: str) -> None:
    with pytest.raises(UnopenedError) as error:
        opened(f"a: x\nsops: {metadata}\n")
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no age identity"),
        ("# age1...\n", "there is no age identity"),
        (f"{KEY}\n{MARK}", "line 2 is not an age identity"),
        (str(KEY)[:-1] + ("Q" if str(KEY)[-1] != "Q" else "P"), "line 1 is not an age identity"),
        (str(KEY.to_public()), "line 1 is not an age identity"),
        ("\n".join([str(KEY)] * 17), "more than 16"),
    ],
)
def test_what_is_no_identity_is_refused_without_repeating_it(text: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as error:
        Identities(text)
    assert MARK not in str(error.value) + error.value.hint
    assert str(KEY) not in repr(MINE)
    assert MINE.recipients == (str(KEY.to_public()),)


# -- in spec files ----------------------------------------------------------------------------------------------------

VARS = f"""\
apiVersion: skypanel.io/v1
kind: ConfigVars
metadata: {{organization: acme}}
spec:
    variables:
        DB_PASSWORD: {MARK}
"""


def test_a_file_of_specs_is_read_in_clear_and_what_is_encrypted_is_no_doubt(encrypt: Encrypt) -> None:
    for options in ((), ("--encrypted-regex", "^(variables|files)$")):
        found = load_contents({"a.yaml": encrypt(VARS, *options).encode()}, MINE.open)
        assert list(found.variables[0].vars.values()) == [("variables", "DB_PASSWORD", MARK)]
        assert ("spec", "variables", "DB_PASSWORD") in found.variables[0].document.sealed


def test_a_value_that_breaks_a_rule_is_not_repeated_where_it_was_encrypted(encrypt: Encrypt) -> None:
    text = f"apiVersion: skypanel.io/v1\nkind: App\nmetadata: {{name: '{MARK}!', organization: acme}}\n"
    for each in (text, text.replace("App", MARK)):
        with pytest.raises(SpecFilesError, match="breaks a rule, and is encrypted") as error:
            load_contents({"a.yaml": encrypt(each).encode()}, MINE.open)
        problems = [problem.message + problem.hint for problem in error.value.problems]
        assert not [each for each in problems if MARK in each]


def test_without_a_key_the_rest_is_checked(encrypt: Encrypt, tmp_path: Path) -> None:
    file = tmp_path / "vars.yaml"
    file.write_text(encrypt(VARS, "--encrypted-regex", "^(variables|files)$") + "---\n" + VARS.replace("acme", "other"))
    with pytest.raises(SpecFilesError, match=r"sops: is encrypted with SOPS \(give its age key"):
        load_all([file])
    found = load_all([file], closed=True)
    assert (len(found.variables), found.closed) == (2, [f"{file}:1:1"])
    file.write_text(encrypt(VARS.replace("organization", "organisation"), "--encrypted-regex", "^(variables|files)$"))
    with pytest.raises(SpecFilesError, match=r"metadata\.organisation: is not a field here"):
        load_all([file], closed=True)
    file.write_text(encrypt(VARS + "    wrong: 1\n"))
    assert load_all([file], closed=True).closed == [f"{file}:1:1"], "nothing of it can be read"


SEALED = "ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:{}]"
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([SEALED.format(kind) for kind in ("str", "int", "comment", "x")] + ["ENC["])
)  # fmt: skip
TREES = st.recursive(
    VALUES, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3)
)


@given(st.lists(TREES, min_size=1, max_size=3), st.data())
def test_whatever_it_is_given_it_opens_or_says_why_not(trees: list[Any], data: st.DataObject) -> None:
    real = pyrage.encrypt(b"k" * 32, [KEY.to_public()], armored=True).decode()
    fields = {
        "age": st.just([{"recipient": "age1x", "enc": real}]) | TREES,
        "mac": st.just(SEALED.format("str")) | TREES,
        "lastmodified": st.just("2026-11-28T10:00:00Z") | TREES,
        "mac_only_encrypted": st.just(True) | TREES,
    }
    metadata = data.draw(st.fixed_dictionaries({}, optional=fields))
    documents = [YamlDocument({"sops": metadata, "a": tree}, {(): Position(1, 1)}) for tree in trees]
    with pytest.raises(UnopenedError) as error:
        MINE.open([*documents, *data.draw(st.sampled_from([[], [YamlDocument([], {(): Position(1, 1)})]]))])
    assert error.value.message
    assert all(unopened(each).closed for each in documents)


def test_leaves_are_in_the_order_in_which_they_are_written() -> None:
    found = list(leaves({"b": [1, {"c": None, "a": "x"}], "sops": {"mac": "y"}, "a": {"sops": True}}))
    assert found == [(("b", 0), 1), (("b", 1, "a"), "x"), (("a", "sops"), True)]
