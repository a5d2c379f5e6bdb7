"""What other releases of PostgreSQL call the same refusal is explained in the same words."""

from __future__ import annotations

import psycopg
import pytest

from controller.declared.constraint_messages import explain
from tests.store.conftest import Database


@pytest.mark.parametrize("state", ["23503", "23001"], ids=["until 17", "from 18 on"])
def test_a_plan_that_is_in_use_is_named_whatever_the_refusal_is_called(standing: Database, state: str) -> None:
    refusals = [
        f"RAISE 'no' USING ERRCODE = '{state}', CONSTRAINT = '{name}'"
        for name in ("paas_environments_plan_id_fkey", "x")
    ]
    said = []
    for refusal in refusals:
        with pytest.raises(psycopg.IntegrityError) as raised:
            standing.session("panel").execute(f"DO $$ BEGIN {refusal}; END $$".encode())
        said.append(explain(raised.value))
    assert said[0] == (
        "environments use this plan",
        "give them another plan first: `skypanel get environments` shows which",
    )
    assert said[1] is not None
    assert "refers to it" in said[1][0]
