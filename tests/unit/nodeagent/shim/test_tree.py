import pytest

from nodeagent.shim.movable import check_complete
from nodeagent.shim.tree import Member, descendants, outsiders, parse_member
from ssi.model.shim import DumpFailed


def member(pid: int, parent: int) -> Member:
    return Member(pid=pid, parent=parent, state="S", name="x")


JOB = [member(1, 0), member(1000, 1), member(1001, 1000), member(1002, 1001), member(1003, 1000)]


def test_stat_is_read_whatever_the_name_holds() -> None:
    stat = "1000 (a) b (c) R 17 1000 1000 0 -1 4194304"
    assert parse_member(stat) == Member(pid=1000, parent=17, state="R", name="a) b (c")


def test_children_come_before_their_parents() -> None:
    order = [found.pid for found in descendants(JOB, 1000)]
    assert sorted(order) == [1000, 1001, 1002, 1003]
    assert order.index(1002) < order.index(1001) < order.index(1000)
    assert order.index(1003) < order.index(1000)


def test_process_of_another_parent_is_an_outsider() -> None:
    strays = outsiders([*JOB, member(1500, 1), member(1501, 1500)], 1000, known=(1,))
    assert [stray.pid for stray in strays] == [1500, 1501]
    assert outsiders(JOB, 1000, known=(1,)) == []


def test_a_process_that_ended_while_it_was_read_has_not_left_the_tree() -> None:
    """Its ``stat`` tells of no parent then."""
    ending = member(1004, 0)
    check_complete([*JOB, ending], 1000, None, lambda: JOB)
    with pytest.raises(DumpFailed, match=r"left its tree: 1004 \(x\)"):
        check_complete([*JOB, ending], 1000, None, lambda: [*JOB, ending, member(1005, 1)])
