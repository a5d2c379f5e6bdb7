"""What doctor says of user namespaces: this node by its engine, the others by their labels."""

from __future__ import annotations

from typing import Any

import pytest

from controller.actions.doctor.userns import check

ON = ["name=seccomp,profile=builtin", "name=userns"]


def nodes(*labelled: str) -> list[dict[str, Any]]:
    return [
        {
            "ID": name,
            "Description": {"Hostname": f"host-{name}"},
            "Spec": {"Labels": {"io.skypanel.userns": "true"} if name in labelled else {}},
        }
        for name in ("n1", "n2")
    ]


@pytest.mark.parametrize(
    ("options", "labelled", "required", "level", "word"),
    [
        ([], (), False, "warn", "not: host-n1, host-n2"),
        (ON, ("n1",), False, "ok", "labelled: host-n1; not: host-n2"),
        (ON, ("n1", "n2"), True, "ok", "not: none"),
        ([], ("n1",), True, "fail", "its engine no userns-remap"),
        ([], (), True, "fail", "no task of a tenant starts"),
        (ON, (), True, "fail", "no task of a tenant starts"),
        ([], ("n2",), True, "ok", "off here, where no task of a tenant runs"),
    ],
)
def test_what_a_node_has_and_what_it_is_labelled_as_are_compared(
    options: list[str], labelled: tuple[str, ...], required: bool, level: str, word: str
) -> None:
    found = check({"SecurityOptions": options, "Swarm": {"NodeID": "n1"}}, nodes(*labelled), required=required)
    assert found.level == level
    assert word in found.message
