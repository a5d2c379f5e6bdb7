"""Lists that are taken apart without decoding them."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.swarm import service_list

_TEXTS = st.text(max_size=8)


@given(st.lists(st.tuples(st.text("abz019", min_size=1), st.dictionaries(_TEXTS, _TEXTS, max_size=3)), max_size=5))
def test_the_parts_are_the_elements_byte_for_byte(found: list[tuple[str, dict[str, str]]]) -> None:
    documents = [orjson.dumps({"ID": object_id, "Spec": spec}) for object_id, spec in found]
    assert list(service_list.elements(b"[" + b",".join(documents) + b"]\n")) == documents
    assert [service_list.id_of(d) for d in documents] == [object_id for object_id, _ in found]


def test_what_separates_elements_is_no_separator_inside_a_string() -> None:
    document = orjson.dumps({"ID": "1", "Spec": {"Name": 'a"},{"ID":"2'}})
    assert list(service_list.elements(b"[" + document + b"]")) == [document]


@pytest.mark.parametrize("empty", [b"[]\n", b"null\n", b"", b"[ ]"])
def test_an_empty_list_has_no_elements(empty: bytes) -> None:
    assert list(service_list.elements(empty)) == []


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(ValueError, match="not a list"):
        list(service_list.elements(b'{"message":"no"}'))


def test_counts_are_taken_out_wherever_they_are() -> None:
    plain = {"ID": "1", "Spec": {"Name": "web"}, "JobStatus": {"LastExecution": "never"}}
    counted = {**plain, "ServiceStatus": {"RunningTasks": 1, "DesiredTasks": 3}}
    assert service_list.without_counts(orjson.dumps(counted)) == (orjson.dumps(plain), (1, 3, 0))
    job = {**plain, "ServiceStatus": {"RunningTasks": 0, "DesiredTasks": 2, "CompletedTasks": 3}}
    assert service_list.without_counts(orjson.dumps(job)) == (orjson.dumps(plain), (0, 2, 3))
    between = b'{"ID":"1","ServiceStatus":{"RunningTasks":1,"DesiredTasks":3},"JobStatus":1}'
    assert service_list.without_counts(between) == (b'{"ID":"1","JobStatus":1}', (1, 3, 0))


def test_without_counts_nothing_is_taken_out() -> None:
    element = orjson.dumps(
        {"ID": "1", "Spec": {"Name": ',"ServiceStatus":{', "Labels": {"a": "b", "ServiceStatus": "{"}}}
    )
    assert service_list.without_counts(element) == (element, (0, 0, 0))


def test_an_element_that_begins_with_something_else_has_no_known_id() -> None:
    assert service_list.id_of(b'{"Version":{"Index":1},"ID":"1"}') is None
