"""Over real sockets: which address the audit and a token's last use have, behind a proxy and without one."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr

from controller.actions.tokens import Asked, create
from controller.api.access import real
from controller.api.app import make_app
from controller.api.server import listen
from controller.kit.expected import ExpectedError
from controller.settings import Settings
from tests.labs import eventually, free_port
from tests.store.conftest import Database, make_tenant

CLIENT, CLAIMED = "203.0.113.7", "198.51.100.1"


@contextmanager
def api(database: Database, trusted: str) -> Iterator[int]:
    settings = Settings.model_validate(
        {
            "skypanel_api_database_url": SecretStr(database.dsn("api")),
            "skypanel_api_trusted_proxies": trusted,
            "docker_host": "tcp://127.0.0.1:1",
        }
    )
    port = free_port()
    app = make_app(settings, {}, access=real(settings))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, proxy_headers=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, what="the server")
        yield port
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.mark.parametrize(
    ("trusted", "peer", "address"),
    [
        ("127.0.0.2/32,10.0.0.0/8", "127.0.0.2", CLIENT),
        ("127.0.0.2/32,10.0.0.0/8", "127.0.0.3", "127.0.0.3"),
        ("", "127.0.0.2", "127.0.0.2"),
    ],
)
def test_the_client_s_address_is_taken_from_a_trusted_proxy_alone(
    database: Database, trusted: str, peer: str, address: str
) -> None:
    make_tenant(database)
    made = create(database.session("panel"), Asked(name="proxied", organization="acme", role="admin"))
    with api(database, trusted) as port:
        headers = {
            "Authorization": f"Bearer {made.token}",
            "X-Forwarded-For": f"{CLAIMED}, {CLIENT}, 10.0.0.9",
            "Content-Type": "application/json",
        }
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(peer, 0))) as connection:

            def ask(method: str, path: str, body: Any = None) -> Any:
                connection.request(method, path, headers=headers, body=json.dumps(body) if body is not None else None)
                with connection.getresponse() as answer:
                    return answer.status, json.loads(answer.read())

            status, said = ask("PUT", "/api/paas/organizations/acme/apps/proxied", {"spec": {}})
            assert status == 201, said
    used = database.execute("SELECT host(address::inet) FROM skypanel.api_token_uses")
    audited = database.execute("SELECT address FROM skypanel.audit WHERE path = 'acme/proxied' AND kind = 'app'")
    assert used == [(address,)]
    assert audited == [(address,)]


def test_a_socket_that_was_left_is_taken_over_and_one_that_is_used_is_not(tmp_path: Path) -> None:
    def settings(port: int) -> Settings:
        return Settings(skypanel_api_listen=f"127.0.0.1:{port}", skypanel_api_socket=tmp_path / "api.sock")

    first = listen(settings(free_port()))
    with pytest.raises(ExpectedError, match="SKYPANEL_API_SOCKET"):
        listen(settings(free_port()))
    for each in first:
        each.close()
    for each in listen(settings(free_port())):
        each.close()
    (tmp_path / "api.sock").unlink()
    (tmp_path / "api.sock").write_text("mine")
    with pytest.raises(ExpectedError, match="SKYPANEL_API_SOCKET"):
        listen(settings(free_port()))
    assert (tmp_path / "api.sock").read_text() == "mine"
