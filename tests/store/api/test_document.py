"""Whatever the document lets anybody ask, and what it does not, is answered as the document says: never by a defect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.actions.tokens import Asked, create
from tests.store.api.test_page import served
from tests.store.conftest import Database

__all__ = ["served"]
SECONDS = 60
NOT_ASKED = "positive_data_acceptance"
"""Names, generations and what is declared otherwise refuse much that is right by the document."""


@pytest.mark.long
@pytest.mark.timeout(SECONDS * 6)
@pytest.mark.parametrize(("organization", "role"), [("", "platform-admin"), ("acme", "owner")])
def test_every_answer_is_one_of_the_document(
    database: Database, served: dict[str, str], tmp_path: Path, organization: str, role: str
) -> None:
    asked = Asked(name="schemathesis", organization=organization, role=role)
    token = create(database.session("panel"), asked).token
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{served['API']}/openapi.json",
        "--header", f"Authorization: Bearer {token}", "--max-time", str(SECONDS), "--max-examples", "4",
        "--request-timeout", "130",  # a drawn `wait` is up to two minutes
        "--exclude-path", "/api/stream",  # which does not end
        "--exclude-checks", NOT_ASKED, "--suppress-health-check", "all", "--no-color", "--seed", "11",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
