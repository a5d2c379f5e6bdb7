"""The client against a server of its own: what it sends, what it does not, and what it makes of hostile answers."""

from __future__ import annotations

import json
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from controller.api.client_code import FOLDER, generated
from controller.client import ApiProblem, Client, ClientError, Conflict, NotFound, Unreachable, etag_of
from controller.client.answers import events
from controller.client.places import place
from controller.client.transport import origin_of

TOKEN = "skp_not_a_real_one_0123456789"
Answers = Callable[["Request"], tuple[int, dict[str, str], bytes]]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Served:
    url: str
    seen: list[Request] = field(default_factory=list)
    answer: Answers = lambda _: (200, {}, b"{}")
    slept: list[float] = field(default_factory=list)

    def client(self, token: str = TOKEN, **more: Any) -> Client:
        return Client(self.url, token, sleep=self.slept.append, **more)


@pytest.fixture
def served() -> Iterator[Served]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            one = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            found.seen.append(one)
            status, headers, raw = found.answer(one)
            if status == 0:  # cut
                self.close_connection = True
                return
            self.send_response(status)
            given = {"Content-Type": "application/json", **headers}
            for name, value in given.items():
                self.send_header(name, value)
            if given["Content-Type"] == "text/event-stream":
                self.close_connection = True
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Served(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def problem(name: str, status: int, **more: Any) -> tuple[int, dict[str, str], bytes]:
    said = {"type": f"/problems/{name}", "title": "No", "status": status, "detail": "not so", **more}
    return status, {"Content-Type": "application/problem+json"}, json.dumps(said).encode()


def test_what_is_generated_is_that_of_the_document() -> None:
    there = {name: (FOLDER / name).read_text() for name in generated()}
    assert there == generated(), "run `python -m controller.api.client_code`"


def test_an_operation_is_a_method_that_sends_what_it_is_given(served: Served) -> None:
    with served.client(organization="acme") as api:
        api.deploy_environment("acme", "shop", "a/b", {"tag": "1"}, if_match='"g3"', wait=5)
    (one,) = served.seen
    assert (one.method, one.path) == (
        "POST", "/api/paas/organizations/acme/apps/shop/environments/a%2Fb/deploy?wait=5",
    )  # fmt: skip
    assert json.loads(one.body) == {"tag": "1"}
    assert one.headers["authorization"] == f"Bearer {TOKEN}"
    assert one.headers["x-organization-id"] == "acme"
    assert one.headers["if-match"] == '"g3"'
    assert len(one.headers["idempotency-key"]) >= 16


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_is_never_a_step_in_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        place("/api/{}", name)


def test_a_tag_is_that_of_the_generation() -> None:
    assert etag_of({"metadata": {"generation": 7}}) == '"g7"'


def test_a_problem_is_an_exception_of_its_type_with_pointers_and_a_mend(served: Served) -> None:
    served.answer = lambda _: problem("conflict", 409, errors=[{"pointer": "/spec/port", "detail": "is taken (mend)"}])
    with served.client() as api, pytest.raises(Conflict) as caught:
        api.get_app("acme", "shop")
    assert caught.value.pointers == ["/spec/port"]
    assert caught.value.mend
    assert "is taken" in str(caught.value)
    served.answer = lambda _: problem("of-tomorrow", 418)
    with served.client() as api, pytest.raises(ApiProblem):
        api.get_app("acme", "shop")


def test_a_list_goes_on_to_its_end(served: Served) -> None:
    def pages(one: Request) -> tuple[int, dict[str, str], bytes]:
        last = "cursor=two" in one.path
        page = {"items": [{"metadata": {"name": "b" if last else "a"}}], "next": None if last else "two"}
        return 200, {}, json.dumps(page).encode()

    served.answer = pages
    with served.client() as api:
        assert [each["metadata"]["name"] for each in api.list_apps(organization="acme")] == ["a", "b"]
    assert all("organization=acme" in one.path for one in served.seen)


def test_a_server_that_gives_the_same_cursor_again_is_not_asked_for_ever(served: Served) -> None:
    served.answer = lambda _: (200, {}, b'{"items": [], "next": "same"}')
    with served.client() as api:
        assert list(api.list_apps()) == []
    assert len(served.seen) == 2


def test_a_write_is_sent_again_under_the_same_key_where_its_answer_was_lost(served: Served) -> None:
    served.answer = lambda _: (0, {}, b"") if len(served.seen) < 3 else (200, {}, b"{}")
    with served.client() as api:
        api.restart_environment("acme", "shop", "production")
    assert len({one.headers["idempotency-key"] for one in served.seen}) == 1
    assert len(served.seen) == 3


def test_who_is_asked_to_come_later_comes_later(served: Served) -> None:
    def later(_: Request) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = problem("too-many-requests", 429)
        return (status, headers | {"Retry-After": "7"}, body) if len(served.seen) < 2 else (200, {}, b"{}")

    served.answer = later
    with served.client() as api:
        api.whoami()
    assert served.slept == [7.0]


def test_who_is_asked_to_come_too_late_says_so(served: Served) -> None:
    def later(_: Request) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = problem("too-many-requests", 429)
        return status, headers | {"Retry-After": "3600"}, body

    served.answer = later
    with served.client() as api, pytest.raises(ApiProblem) as caught:
        api.whoami()
    assert caught.value.retry_after == 3600
    assert served.slept == []


def test_what_cannot_be_sent_again_safely_is_not(served: Served) -> None:
    served.answer = lambda _: (0, {}, b"")
    with served.client() as api, pytest.raises(Unreachable):
        api.call("POST", "/api/x", body={})
    assert len(served.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(served: Served, status: int) -> None:
    served.answer = lambda _: (status, {"Location": f"{served.url}/elsewhere"}, b"")
    with served.client() as api, pytest.raises(ClientError, match="redirect"):
        api.whoami()
    assert [one.path for one in served.seen] == ["/api/whoami"]


@pytest.mark.parametrize(
    ("form", "body"),
    [("application/json", b"{"), ("text/html", b"<html>"), ("application/json", b"\xff\xfe")],
)
def test_what_is_no_api_is_said_to_be_none(served: Served, form: str, body: bytes) -> None:
    served.answer = lambda _: (200, {"Content-Type": form}, body)
    with served.client() as api, pytest.raises(ClientError, match="answers with"):
        api.whoami()


def test_an_answer_without_end_is_not_read_to_its_end(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.client.transport.LARGEST", 100)
    served.answer = lambda _: (200, {}, b'"' + b"x" * 200 + b'"')
    with served.client() as api, pytest.raises(ClientError, match="more than 100 bytes"):
        api.whoami()


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "https://", "https://u:p@x", "https://x?token=1", "https://x#f", "http://x y", "https://x/\r\nEvil: 1",
     "http://api.example.com", "http://10.0.0.1", "https://x:99999", "file:///etc/passwd"],
)  # fmt: skip
def test_what_is_no_safe_address_is_refused(url: str) -> None:
    with pytest.raises(ClientError) as caught:
        origin_of(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://api.example.com/", "https://api.example.com"),
        ("https://x/panel/api/", "https://x/panel"),
        ("http://127.0.0.1:9480", "http://127.0.0.1:9480"),
        ("http://[::1]:9480/api", "http://[::1]:9480"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_an_address_is_that_of_the_api(url: str, meant: str) -> None:
    assert str(origin_of(url)) == meant


def test_http_to_another_machine_has_to_be_asked_for() -> None:
    assert str(origin_of("http://api.example.com", allow_http=True)) == "http://api.example.com"


def test_a_token_is_in_nothing_that_is_shown(served: Served) -> None:
    served.answer = lambda _: problem("not-found", 404)
    api = served.client()
    assert TOKEN not in repr(api) + repr(vars(api)) + str(vars(api))
    with pytest.raises(NotFound) as caught:
        api.whoami()
    assert TOKEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    api.close()
    with pytest.raises(TypeError):
        pickle.dumps(vars(api)["_transport"])
    with pytest.raises(ClientError) as wrong:
        Client(served.url, f"{TOKEN}\r\nX-Evil: 1")
    assert TOKEN not in str(wrong.value)


def test_a_stream_goes_on_where_it_broke_off(served: Served) -> None:
    def stream(one: Request) -> tuple[int, dict[str, str], bytes]:
        last = one.headers.get("last-event-id")
        text = {
            None: 'event: controller\ndata: {"alive": true}\n\nid: 1\n\nevent: object\ndata: {"n": 1}\n\nid: 2\n\n',
            "2": ':\n\nevent: event\ndata: {"n":\ndata: 2}\n\nid: 3\n\nevent: end\ndata: {"why": "restart"}\n\n',
            "3": 'event: object\r\ndata: {"n": 3}\r\n\r\n',
        }[last]
        return 200, {"Content-Type": "text/event-stream"}, text.encode()

    served.answer = stream
    with served.client() as api:
        messages = api.follow(path="acme")
        found = [next(messages) for _ in range(5)]
    assert [each.event for each in found] == ["controller", "object", "event", "end", "object"]
    assert [each.data for each in found][1:3] == [{"n": 1}, {"n": 2}]
    assert [one.headers.get("last-event-id") for one in served.seen] == [None, "2", "3"]
    assert all("path=acme" in one.path for one in served.seen)


def test_a_stream_that_is_refused_is_not_begun_again(served: Served) -> None:
    served.answer = lambda _: problem("forbidden", 403)
    with served.client() as api, pytest.raises(ApiProblem):
        next(api.follow())
    assert len(served.seen) == 1


def test_a_message_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.client.answers._LONGEST", 100)
    with pytest.raises(ValueError, match="no end"):
        list(events(b"data: xxxxxxxxxx\n" for _ in range(1000)))
