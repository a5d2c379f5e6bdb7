"""Documents that are packed come back byte for byte, and those that are alike take little."""

from __future__ import annotations

from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from controller.swarm.packing import Packing

documents = st.binary(max_size=200) | st.builds(lambda unit, times: unit * times, st.binary(min_size=1), st.just(2000))


@given(st.lists(documents, max_size=6))
def test_what_was_packed_comes_back_as_it_was(given_: list[bytes]) -> None:
    packing = Packing()
    packed = [packing.packed(data) for data in given_]
    assert [each.unpacked() for each in packed] == given_


def service(number: int) -> bytes:
    image = f"registry.example.com/team/app@sha256:{number:064x}"
    task = {"ContainerSpec": {"Image": image, "Env": [f"NAME_{n}=value {n}" for n in range(100)]}}
    return orjson.dumps({"ID": f"{number:025d}", "Spec": {"Name": str(UUID(int=number)), "TaskTemplate": task}})


def test_of_documents_that_are_alike_a_tenth_remains() -> None:
    packing = Packing()
    whole = [service(number) for number in range(100)]
    assert sum(len(packing.packed(data).data) for data in whole) < sum(map(len, whole)) / 10
