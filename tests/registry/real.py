"""Debian's docker-registry as a process of this machine, and what it takes to put images into it."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.registry.credentials import Credentials
from deploy.engine import debian
from tests.labs import free_port
from tests.registry.tokens import ISSUER, SERVICE, Tokens

USER = Credentials("ci", "of-the-tests-4711")


@dataclass(frozen=True, slots=True)
class Changed:
    """The same user with another password, and the line of ``htpasswd`` that lets him in."""

    password: str
    htpasswd: str


CHANGED = Changed("changed-since-4712", "ci:$2b$04$abcdefghijklmnopqrstuuQlxApzAG1PhUoW32eKNj3OKm82o/4i.\n")
_HTPASSWD = "ci:$2b$04$abcdefghijklmnopqrstuu.qzO3nS/PsvDIelrAz/PgEqAkyPS60O\n"
_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_AUTH = "auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"
_TOKENS = (
    "auth: {{token: {{realm: '{realm}', service: {service}, issuer: {issuer}, rootcertbundle: {folder}/tokens.pem}}}}\n"
)
_START_SECONDS = 10.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_CONFIG_TYPES = {
    MANIFEST: "application/vnd.oci.image.config.v1+json",
    DOCKER_MANIFEST: "application/vnd.docker.container.image.v1+json",
}
_LAYER_TYPES = {
    MANIFEST: "application/vnd.oci.image.layer.v1.tar+gzip",
    DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar.gzip",
}


@dataclass(frozen=True, slots=True)
class RealRegistry:
    """One that runs.

    Args:
        host: as references have it.
        process: of it.
        credentials: with which things are put there; None: it asks for none.
    """

    host: str
    process: subprocess.Popen[bytes]
    credentials: Credentials | None

    def push(
        self, repository: str, tag: str, config: Mapping[str, Any], *, architecture: str = "amd64", form: str = MANIFEST
    ) -> dict[str, Any]:
        """Put an image with one small layer there; its descriptor. An empty tag: under its digest alone."""
        layer = _layer()
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": form,
            "config": self.upload(repository, json.dumps(document).encode(), _CONFIG_TYPES[form]),
            "layers": [self.upload(repository, gzip.compress(layer, mtime=0), _LAYER_TYPES[form])],
        }
        return {**self.put(repository, tag, manifest), "platform": {"os": "linux", "architecture": architecture}}

    def push_index(
        self, repository: str, tag: str, entries: Sequence[Mapping[str, Any]], *, form: str = INDEX
    ) -> dict[str, Any]:
        """Put an index of images there; its descriptor."""
        return self.put(repository, tag, {"schemaVersion": 2, "mediaType": form, "manifests": list(entries)})

    def put(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Put a manifest there as it is; its descriptor."""
        body = json.dumps(manifest).encode()
        form = str(manifest["mediaType"])
        self._call("PUT", f"/v2/{repository}/manifests/{tag or _digest(body)}", body, {"Content-Type": form})
        return {"mediaType": form, "digest": _digest(body), "size": len(body)}

    def put_as_it_is(self, repository: str, reference: str, form: str, body: bytes) -> None:
        """Put a manifest there, byte for byte."""
        self._call("PUT", f"/v2/{repository}/manifests/{reference}", body, {"Content-Type": form})

    def upload(self, repository: str, data: bytes, form: str) -> dict[str, Any]:
        """Put a blob there; its descriptor."""
        location = self._call("POST", f"/v2/{repository}/blobs/uploads/", b"", {}).removeprefix(f"http://{self.host}")
        kind = {"Content-Type": "application/octet-stream"}
        self._call("PUT", f"{location}{'&' if '?' in location else '?'}digest={_digest(data)}", data, kind)
        return {"mediaType": form, "digest": _digest(data), "size": len(data)}

    def remove(self, repository: str, digest: str) -> None:
        """Take a manifest away."""
        self._call("DELETE", f"/v2/{repository}/manifests/{digest}", b"", {})

    def _call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> str:
        """One request; its answer's location."""
        own = {"Authorization": self.credentials.basic} if self.credentials else {}
        with closing(http.client.HTTPConnection(self.host, timeout=10)) as connection:
            connection.request(method, path, body, {**headers, **own})
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status in (200, 201, 202), f"{method} {path}: {answer.status} {said!r}"
            return answer.getheader("Location") or ""


def program() -> Path:
    """Debian's; fetched where it is not here yet, which takes a network that leads to the archive."""
    return debian.fetch("bookworm", ["docker-registry"]) / "usr/bin/docker-registry"


@contextmanager
def running(
    folder: Path,
    *,
    port: int = 0,
    private: bool = False,
    within: Sequence[str] = (),
    tokens: Tokens | None = None,
    mirrors: str = "",
) -> Iterator[RealRegistry]:
    """A registry of one's own, with what ``folder`` has from before.

    Args:
        folder: for its data.
        port: 0: any.
        private: whether it asks for ``USER``.
        within: command line in front of its own, such as one that enters a node's network; who calls stands there, too.
        tokens: whose tokens it asks for.
        mirrors: address of the registry of which it is a mirror; empty: of none.
    """
    port = port or free_port()
    (folder / "htpasswd").write_text(_HTPASSWD)
    text = (_CONFIG + (_AUTH if private else "")).format(folder=folder, port=port)
    if tokens is not None:
        (folder / "tokens.pem").write_bytes(tokens.certificate)
        text += _TOKENS.format(folder=folder, realm=tokens.realm, service=SERVICE, issuer=ISSUER)
    text += f"proxy:\n  remoteurl: {mirrors}\n" if mirrors else ""
    config = folder / "config.yml"
    config.write_text(text)
    # It ends with the test run, whatever ends that.
    command = ["setpriv", "--pdeathsig", "KILL", *within, str(program()), "serve", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.defpath})
    try:
        _wait(process, port)
        yield RealRegistry(f"127.0.0.1:{port}", process, USER if private else None)
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, f"the registry ended with {process.returncode}"
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
                connection.request("GET", "/v2/")
                connection.getresponse().read()
                return
        except OSError:
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.01)


def _layer() -> bytes:
    """A tar with one small file, the same each time."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        entry = tarfile.TarInfo("hello")
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"hi"))
    return target.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
