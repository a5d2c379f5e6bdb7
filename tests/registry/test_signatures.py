"""Signatures that cosign 3.1.1 has made, beside an image in a real registry: what counts, and what does not.

``tests/fixtures/cosign.json`` is what its `sign` and `attest` put there, of the image that ``push`` makes here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.registry.addresses import Reach
from controller.registry.client import Asking
from controller.registry.documents import Document
from controller.registry.images import RegistryImages
from controller.registry.signatures import _SIGNATURE as SIGNATURE
from controller.registry.signatures import BUNDLE, SIMPLE, bundle_of, key_of, signers
from reconcilers.logins import Login
from reconcilers.outcomes import TerminalError
from specs.image_policies import check_keys, fingerprint, keys_in
from tests.registry.engine import StandIn
from tests.registry.real import USER, RealRegistry

MADE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "fixtures/cosign.json").read_text())
KEY, DIGEST = str(MADE["key"]), str(MADE["image"])
REACH = Reach(allowed=("127.0.0.1:*",))
PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = PRIVATE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
pytestmark = pytest.mark.anyio
Put = Callable[..., str]


def put(registry: RealRegistry, *forms: str, change: Callable[[str], str] = str, leave: str = "") -> str:
    """The image, and what cosign put beside it; the reference."""
    repository = f"signed/{uuid4().hex}"
    assert registry.push(repository, "1", {"Cmd": ["serve"]})["digest"] == DIGEST
    for form in forms:
        for entry in MADE[form]:
            if entry[0] == "blob":
                registry.upload(repository, change(entry[1]).encode(), "application/octet-stream")
            elif not leave or leave not in entry[2]:
                registry.put_as_it_is(repository, entry[0], entry[1], entry[2].encode())
    return f"{registry.host}/{repository}@{DIGEST}"


async def signed_by(reference: str, *keys: str) -> list[str]:
    return list(await RegistryImages(StandIn(), REACH).signed_by(reference, keys, "acme"))


@pytest.mark.parametrize("forms", [("bundle",), ("tag",), ("bundle", "tag"), ("attested",)])
async def test_what_cosign_has_signed_is_signed(registry: RealRegistry, forms: tuple[str, ...]) -> None:
    reference = put(registry, *forms)
    assert await signed_by(reference, OTHER, KEY) == [KEY]
    assert await signed_by(reference, OTHER) == []


async def test_without_a_signature_nobody_has_signed(registry: RealRegistry) -> None:
    assert await signed_by(put(registry), KEY) == []


@pytest.mark.parametrize("form", ["bundle", "tag"])
async def test_a_signature_of_another_image_is_none(registry: RealRegistry, form: str) -> None:
    repository = f"signed/{uuid4().hex}"
    other = registry.push(repository, "1", {"Cmd": ["evil"]})["digest"]
    for name, *rest in MADE[form]:
        if name == "blob":
            registry.upload(repository, rest[0].encode(), "application/octet-stream")
        else:
            moved = name.replace(DIGEST.replace(":", "-"), other.replace(":", "-"))
            registry.put_as_it_is(repository, moved, rest[0], rest[1].encode())
    assert await signed_by(f"{registry.host}/{repository}@{other}", KEY) == []


async def test_an_attestation_says_nothing_of_whether_it_may_run() -> None:
    bundles = [entry[1].encode() for entry in MADE["attested"] if entry[0] == "blob" and "dsseEnvelope" in entry[1]]
    assert sorted(len(list(bundle_of(body, DIGEST))) for body in bundles) == [0, 1]


async def test_a_signature_of_the_manifest_itself_counts(registry: RealRegistry) -> None:
    hashed = bytes.fromhex(DIGEST.partition(":")[2])
    signature = PRIVATE_KEY.sign(hashed, ec.ECDSA(Prehashed(SHA256())))
    body = json.dumps(
        {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": ""}},
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": base64.b64encode(hashed).decode()},
                "signature": base64.b64encode(signature).decode(),
            },
        }
    ).encode()
    ((found, text, prehashed),) = bundle_of(body, DIGEST)
    assert (found, text, prehashed) == (signature, hashed, True)
    assert list(bundle_of(body, f"sha256:{'0' * 64}")) == []


async def test_a_private_registry_gives_signatures_to_its_users_alone(private: RealRegistry) -> None:
    reference = put(private, "bundle")
    with pytest.raises(TerminalError, match="not given to us"):
        await signed_by(reference, KEY)
    login = Login(private.host, USER.username, USER.password)
    found = await RegistryImages(StandIn(), REACH).signed_by(reference, [KEY], "acme", login)
    assert list(found) == [KEY]


class Liar:
    """A registry that says what it likes; what is asked of it is kept."""

    def __init__(self, place: object) -> None:
        self.place = place
        self.asked: list[str] = []

    async def referrers(self, _digest: str) -> bytes:
        return json.dumps({"manifests": [{"digest": self.place}, None, 7]}).encode()

    async def manifest(self, reference: str) -> Document:
        self.asked.append(reference)
        layer = {"mediaType": SIMPLE, "digest": self.place, "size": 9, "annotations": {SIGNATURE: "x"}}
        body = {"layers": [{**layer, "mediaType": BUNDLE}, layer, None]}
        return Document(DIGEST, "", json.dumps(body).encode())

    async def blob(self, digest: str, _size: int) -> bytes:
        self.asked.append(digest)
        return b""


@pytest.mark.parametrize(
    "place", [None, 7, "", "latest", "../../../other/manifests/1", "sha256:x\r\nHost: other", "md5:00", "sha256:\u0660"]
)
async def test_a_registry_leads_to_nothing_but_digests(place: object) -> None:
    liar = Liar(place)
    assert await signers(cast("Asking", liar), DIGEST, {KEY: key_of(KEY)}) == frozenset()
    assert liar.asked == [f"{DIGEST.replace(':', '-')}.sig"]


def test_a_key_is_what_cosign_calls_its_public_key() -> None:
    assert check_keys((KEY, OTHER)) == (KEY, OTHER)
    assert fingerprint(KEY) == fingerprint(KEY.strip().replace("\n", "\r\n"))
    assert keys_in(f"mine:\n{KEY}\ntheirs:\n{OTHER}") == (KEY, OTHER)
    assert hashlib.sha256(b"").hexdigest()[:32] != fingerprint(KEY)
    for wrong in ("", "x", KEY.replace("PUBLIC", "PRIVATE"), KEY[:60] + KEY[-30:]):
        with pytest.raises(ValueError, match="is not a public key"):
            check_keys((wrong,))
