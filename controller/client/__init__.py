"""The HTTP API for programs in Python: a method an operation, typed, with nothing but the standard library.

    from controller.client import Client, NotFound

    with Client("https://api.example.com", token) as api:
        for each in api.list_environments(ready="false"):
            print(each["metadata"]["name"], each["status"]["message"])
        api.deploy_environment("acme", "shop", "production", {"tag": "1.5"}, wait=60)

Methods and types are generated from the API's document (``python -m controller.api.client_code``).
"""

from __future__ import annotations

from controller.client.answers import Answer, Message, etag_of
from controller.client.client import Client
from controller.client.errors import ApiProblem, ClientError, Fault, Unreachable
from controller.client.problems import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
    Unauthenticated,
)

__all__ = [
    "Answer",
    "ApiProblem",
    "Client",
    "ClientError",
    "Conflict",
    "Fault",
    "Forbidden",
    "Message",
    "NotFound",
    "PreconditionFailed",
    "TooManyRequests",
    "Unauthenticated",
    "Unreachable",
    "etag_of",
]
