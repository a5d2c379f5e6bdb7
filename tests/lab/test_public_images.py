"""A public image is taken when a registry answers; when none does, nothing is waited for twice."""

import hashlib
import http.server
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.engine import daemon, debian, public
from deploy.engine.layer import Layer, write_image
from deploy.engine.paths import cache_root
from tests.lab.support import free_port

LOCAL = "127.0.0.1:5000/skypanel/tiny:1"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own that has the engine's packages already."""
    shared = cache_root()
    engine_packages = debian.fetch("trixie", daemon.PACKAGES["trixie"])
    monkeypatch.setenv("SKYPANEL_LAB_CACHE", str(tmp_path / "c"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c/packages").symlink_to(shared / "packages")
    assert engine_packages.exists()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Address of a registry that has one image, tiny:1."""
    layer = Layer()
    layer.file("/hello", b"hello\n")
    write_image(layer, {"Cmd": ["/hello"]}, ["tiny:1"], "amd64", tmp_path / "tiny.tar")
    blobs: dict[str, bytes] = {}
    with tarfile.open(tmp_path / "tiny.tar") as image:
        for entry in image:
            content = image.extractfile(entry)
            assert content is not None
            blobs[entry.name] = content.read()
    manifest = json.loads(blobs.pop("manifest.json"))[0]
    parts = [blobs[manifest["Config"]], blobs[manifest["Layers"][0]]]
    by_digest = {f"sha256:{hashlib.sha256(part).hexdigest()}": part for part in parts}
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    config, files = (
        {"mediaType": media, "size": len(part), "digest": digest}
        for media, (digest, part) in zip(
            (
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar",
            ),
            by_digest.items(),
            strict=True,
        )
    )
    document = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [files]}
    body = json.dumps(document).encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    replies = {"/v2/": ("application/json", b"{}")}
    replies |= {f"/v2/tiny/manifests/{name}": (kind, body) for name in ("1", digest)}
    replies |= {f"/v2/tiny/blobs/{name}": ("application/octet-stream", part) for name, part in by_digest.items()}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            media, data = replies.get(self.path, ("", b""))
            self.send_response(200 if media else 404)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_image_of_a_registry_that_answers_is_pulled_under_the_local_name(registry: str, tmp_path: Path) -> None:
    target = tmp_path / "pulled.tar"
    identity = public.pull(f"{registry}/tiny:1", LOCAL, target)
    assert identity is not None
    with tarfile.open(target) as image:
        content = image.extractfile("manifest.json")
        assert content is not None
        manifest = json.load(content)
    assert manifest[0]["RepoTags"] == [LOCAL]
    assert not (cache_root() / "puller").exists()


def test_a_registry_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    source = f"127.0.0.1:{free_port()}/tiny:1"
    assert public.pull(source, LOCAL, tmp_path / "pulled.tar") is None
    begun = time.monotonic()
    assert public.pull(source, LOCAL, tmp_path / "pulled.tar") is None
    assert time.monotonic() - begun < 0.1, "no engine was started to ask again"
    assert not (tmp_path / "pulled.tar").exists()
