"""Signs an image in a registry with a key of the tests, in the older form of cosign: the tag sha256-HEX.sig."""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.registry.signatures import _SIGNATURE as SIGNATURE
from controller.registry.signatures import SIMPLE
from tests.registry.real import MANIFEST, RealRegistry


def new_key() -> tuple[EllipticCurvePrivateKey, str]:
    """A key, and its public half as policies name it."""
    key = generate_private_key(SECP256R1())
    return key, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(registry: RealRegistry, repository: str, digest: str, key: EllipticCurvePrivateKey) -> None:
    """As ``cosign sign --key`` without a bundle does."""
    identity = {"docker-reference": f"{registry.host}/{repository}"}
    image = {"docker-manifest-digest": digest}
    critical = {"identity": identity, "image": image, "type": "cosign container image signature"}
    payload = json.dumps({"critical": critical, "optional": None}).encode()
    signature = base64.b64encode(key.sign(payload, ECDSA(SHA256()))).decode()
    layer = {**registry.upload(repository, payload, SIMPLE), "mediaType": SIMPLE, "annotations": {SIGNATURE: signature}}
    config = registry.upload(repository, b"{}", "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    registry.put(repository, f"{digest.replace(':', '-')}.sig", manifest)
