"""The form of API tokens."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from controller.access.token_text import FORM, hash_of, is_token, new_id, new_token


def test_a_new_token_has_the_form_its_id_and_256_bits_of_its_own() -> None:
    made = [new_token(new_id()) for _ in range(200)]
    assert len(set(made)) == 200
    assert all(is_token(token) and re.fullmatch(FORM, token) and len(token) == 66 for token in made)
    assert len({hash_of(token) for token in made}) == 200
    assert all(len(hash_of(token)) == 32 for token in made)
    again = [new_token("a" * 12) for _ in range(2)]
    assert again[0] != again[1]
    assert again[0].startswith("skp_aaaaaaaaaaaa_")


@given(st.integers(0, 65), st.sampled_from("0aZ_-é\n"))
def test_a_token_with_another_character_is_none(place: int, put: str) -> None:
    token = new_token(new_id())
    changed = token[:place] + put + token[place + 1 :]
    assert changed == token or not is_token(changed)


@given(st.text())
def test_what_is_no_token_is_none(text: str) -> None:
    assert not is_token(text)
    assert not is_token("skp_" + text)
