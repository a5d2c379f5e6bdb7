"""What the engine's refusals mean; the words are those of Docker Engine 20.10 to 28, the codes are as misleading."""

from __future__ import annotations

import pytest

from controller.swarm.errors import (
    EngineError,
    EngineUnavailable,
    InUse,
    NameTaken,
    NotFound,
    OutOfSequence,
    Refused,
    classify,
)

ID = "x4ydrs8x5yh8kqcqz6eft1pmu"


@pytest.mark.parametrize(
    ("status", "message", "meaning"),
    [
        (500, "rpc error: code = Unknown desc = update out of sequence", OutOfSequence),
        (409, "rpc error: code = AlreadyExists desc = name conflicts with an existing object", NameTaken),
        (409, "network with name org-acme already exists", NameTaken),
        (403, f"endpoint with name web.1.{ID} already exists in network org-acme", NameTaken),
        (404, f"service {ID} not found", NotFound),
        (404, "rpc error: code = NotFound desc = network not found", NotFound),
        (404, f"No such container: {ID}", NotFound),
        (500, f"network {ID} not found", NotFound),
        (400, f"rpc error: code = FailedPrecondition desc = network {ID} is in use by service {ID}", InUse),
        (400, f"rpc error: code = FailedPrecondition desc = network {ID} is in use by task {ID}", InUse),
        (403, f"error while removing network: network org-acme id {ID} has active endpoints", InUse),
        (400, "rpc error: code = InvalidArgument desc = secret 'key' is in use by the following service: web", InUse),
        (500, "rpc error: code = Unknown desc = The swarm does not have a leader.", EngineUnavailable),
        (500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", EngineUnavailable),
        (503, 'This node is not a swarm manager. Use "docker swarm init"', EngineUnavailable),
        (500, "something that nobody has seen before", EngineUnavailable),
        (400, 'rpc error: code = InvalidArgument desc = ContainerSpec: "!!" is not a valid repository/tag', Refused),
        (400, "rpc error: code = InvalidArgument desc = invalid cpu value 1e-09: Must be at least 0.001", Refused),
        (400, "rpc error: code = InvalidArgument desc = name must be valid as a DNS name component", Refused),
        (501, "rpc error: code = Unimplemented desc = renaming services is not supported", Refused),
        (501, "rpc error: code = Unimplemented desc = service mode change is not allowed", Refused),
    ],
)  # fmt: skip
def test_a_refusal_is_known_by_its_words(status: int, message: str, meaning: type[EngineError]) -> None:
    error = classify(status, message)
    assert type(error) is meaning
    assert error.status == status


def test_the_engine_s_words_become_one_line() -> None:
    assert classify(400, "first\n  second\t third\n").message == "first second third"
