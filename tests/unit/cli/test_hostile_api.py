"""An API that lies: what it answers does nothing to the terminal, to files, or to the program."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from controller.cli import inputs, main
from controller.cli.formats import as_shown
from controller.cli.terminal import Text

ORDERS = "\x1b]0;owned\x07\x1b[2J\u202e"
OBJECT: dict[str, Any] = {
    "apiVersion": "skypanel.io/v1", "kind": "App",
    "metadata": {
        "name": "shop", "organization": "acme", "id": "0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f30", "generation": 1,
        "createdAt": "2026-11-28T09:00:00+00:00", "deletedAt": None,
    },
    "spec": {}, "status": {"ready": False, "asAsked": False, "reason": ORDERS, "message": ORDERS, "stalled": False},
    "owners": [], "can": [],
}  # fmt: skip


class Liar:
    def __init__(self) -> None:
        self.body: Any = {}
        self.status = 200
        self.form = "application/json"


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Liar]:
    found = Liar()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw = json.dumps(found.body).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", found.form)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("SKYPANEL_API_URL", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("SKYPANEL_TOKEN", "skp_secret")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(inputs, "_named_files", [])
    for name in ("DATABASE_URL", "SKYPANEL_CONTEXT", "SKYPANEL_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def with_(**metadata: object) -> dict[str, Any]:
    return OBJECT | {"metadata": OBJECT["metadata"] | metadata}


def test_orders_to_a_terminal_are_shown_and_not_followed(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    liar.body = {"items": [OBJECT], "next": None}
    assert main(["get", "apps"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    liar.status, liar.form = 409, "application/problem+json"
    liar.body = {"type": "/problems/conflict", "detail": ORDERS, "errors": [{"detail": ORDERS, "resource": ORDERS}]}
    assert main(["get", "apps"]) == 1
    assert "\x1b" not in capsys.readouterr().err
    assert "\x1b" not in Text(ORDERS).plain
    assert as_shown("plain") == "plain"


@pytest.mark.parametrize("name", ["../../../tmp/evil", "..", "", "a/b", ORDERS, 1, None, ["x"]])
def test_a_name_that_is_none_is_no_objects(
    liar: Liar, name: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    liar.body = with_(name=name)
    assert main(["edit", "app", "acme/shop"]) == 1
    assert "is not what this version understands" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_another_object_than_was_asked_for_is_not_taken_for_it(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    liar.body = with_(name="blog")
    assert main(["get", "app", "acme/shop"]) == 1
    assert "another object" in capsys.readouterr().err


@pytest.mark.parametrize(
    "body",
    [[], {}, None, 7, "x", {"items": 7}, {"items": [7]}, {"items": [{}]}, {"items": [with_(generation=None, id=1)]}],
)
@pytest.mark.parametrize("line", [["get", "apps"], ["events"], ["explain", "app", "acme/shop"], ["whoami"]])
def test_what_cannot_be_understood_is_no_bug_of_ours(
    liar: Liar, body: object, line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    liar.body = body
    main(line)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "skp_secret" not in said
