"""Who has signed an image, by what its registry has beside it: signatures of cosign, with a key of one's own.

    bundle    a referrer of the image, by the registry's API or under the tag sha256-HEX, with a Sigstore bundle 0.3
              in it: an in-toto statement that says "signed", or a signature of the manifest itself
    .sig      the older form: the tag sha256-HEX.sig, whose layers are payloads, with signatures as annotations

A signature counts when it is about this very digest, and the key has made it: ECDSA P-256 over SHA-256. What is
attested of an image (a bill of materials, how it was built) says nothing of whether it may run. What a certificate has
signed, without a key, is not looked at. Nothing here trusts what a registry says: who lies can only withhold.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from controller.registry.client import Asking
from controller.registry.documents import DIGEST
from controller.registry.errors import ImageNotFound, ImageRefused

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_SIGNED = "https://sigstore.dev/cosign/sign/v1"
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_PAYLOAD = "application/vnd.in-toto+json"
_SIMPLE_TYPE = "cosign container image signature"
_MOST = 32
"""Signatures of each form that are looked at."""
_BYTES = 64 << 10

Keys = Mapping[str, EllipticCurvePublicKey]
"""By what they go by."""


def key_of(pem: str) -> EllipticCurvePublicKey:
    """A public key.

    Raises:
        ValueError: it is none on this curve.
    """
    found = load_pem_public_key(pem.encode())
    if not isinstance(found, EllipticCurvePublicKey) or found.curve.name != "secp256r1":
        raise ValueError(pem)
    return found


async def signers(asking: Asking, digest: str, keys: Keys) -> frozenset[str]:
    """Which of ``keys`` have signed what has this digest.

    Raises:
        ReconcileError: as ``Asking.manifest``; that there is no signature is none.
    """
    found: set[str] = set()
    tag = digest.replace(":", "-")
    async for body in _bundles(asking, digest, tag):
        found |= _by(keys, bundle_of(body, digest))
    if len(found) < len(keys):
        async for signature, payload in _payloads(asking, f"{tag}.sig"):
            if _is_about(payload, digest):
                found |= _by(keys, [(signature, payload, False)])
    return frozenset(found)


# -- where they are ----------------------------------------------------------------------------------------------------


async def _bundles(asking: Asking, digest: str, tag: str) -> AsyncIterator[bytes]:
    listed = _object(await asking.referrers(digest) or await _or_nothing(asking, tag)).get("manifests")
    for entry in [each for each in listed if isinstance(each, dict)][:_MOST] if isinstance(listed, list) else ():
        digest_of_it = entry.get("digest")
        if not isinstance(digest_of_it, str) or not DIGEST.fullmatch(digest_of_it):
            continue
        manifest = await _or_nothing(asking, digest_of_it)
        for layer in _layers(manifest, BUNDLE):
            yield await _blob(asking, layer)


async def _payloads(asking: Asking, tag: str) -> AsyncIterator[tuple[bytes, bytes]]:
    for layer in _layers(await _or_nothing(asking, tag), SIMPLE):
        annotations = layer.get("annotations")
        signature = annotations.get(_SIGNATURE) if isinstance(annotations, dict) else None
        if isinstance(signature, str):
            yield _decoded(signature), await _blob(asking, layer)


async def _or_nothing(asking: Asking, reference: str) -> bytes:
    try:
        return (await asking.manifest(reference)).body
    except (ImageNotFound, ImageRefused):
        return b""


async def _blob(asking: Asking, layer: Mapping[str, Any]) -> bytes:
    digest, size = layer.get("digest"), layer.get("size")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest) or type(size) is not int or not 0 < size <= _BYTES:
        return b""
    try:
        return await asking.blob(digest, size)
    except (ImageNotFound, ImageRefused):
        return b""


def _layers(manifest: bytes, media_type: str) -> list[dict[str, Any]]:
    layers = _object(manifest).get("layers")
    found = [each for each in layers if isinstance(each, dict)] if isinstance(layers, list) else []
    return [each for each in found if each.get("mediaType") == media_type][:_MOST]


# -- what they say -----------------------------------------------------------------------------------------------------


def bundle_of(body: bytes, digest: str) -> Iterator[tuple[bytes, bytes, bool]]:
    """Signatures of a bundle that are about ``digest``: each with what was signed, and whether that is its hash."""
    bundle = _object(body)
    match bundle:
        case {"dsseEnvelope": {"payloadType": str(form), "payload": str(encoded), "signatures": list(signatures)}}:
            payload = _decoded(encoded)
            if form == _PAYLOAD and _says_signed(payload, digest):
                text = b"DSSEv1 %d %b %d %b" % (len(form), form.encode(), len(payload), payload)
                for each in signatures[:_MOST]:
                    if isinstance(each, dict) and isinstance(each.get("sig"), str):
                        yield _decoded(each["sig"]), text, False
        case {
            "messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": str(said)}, "signature": str(sig)}
        }:
            hashed = _decoded(said)
            if f"sha256:{hashed.hex()}" == digest:
                yield _decoded(sig), hashed, True


def _says_signed(payload: bytes, digest: str) -> bool:
    statement = _object(payload)
    algorithm, _, value = digest.partition(":")
    subjects = statement.get("subject")
    named = [each.get("digest") for each in subjects if isinstance(each, dict)] if isinstance(subjects, list) else []
    return (
        statement.get("_type") in _STATEMENTS
        and statement.get("predicateType") == _SIGNED
        and any(isinstance(each, dict) and each.get(algorithm) == value for each in named)
    )


def _is_about(payload: bytes, digest: str) -> bool:
    match _object(payload):
        case {"critical": {"type": said, "image": {"docker-manifest-digest": named}}}:
            return bool(said == _SIMPLE_TYPE and named == digest)
    return False


def _by(keys: Keys, signatures: Iterable[tuple[bytes, bytes, bool]]) -> set[str]:
    found = set()
    for signature, text, hashed in signatures:
        algorithm = ECDSA(Prehashed(SHA256()) if hashed else SHA256())
        for name, key in keys.items():
            try:
                key.verify(signature, text, algorithm)
                found.add(name)
            except (InvalidSignature, ValueError):
                continue
    return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
