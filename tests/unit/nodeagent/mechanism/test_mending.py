from nodeagent.mechanism.crimage import (
    Field,
    decode_fields,
    encode_fields,
    join_image,
    number_of,
    split_image,
)
from nodeagent.mechanism.mending import Kin, mend_files, mend_pstree, settle_sessions

HEAD = b"\x19CVT00'P"


def entry(*numbers: int) -> bytes:
    return encode_fields(Field(at, 0, number) for at, number in enumerate(numbers, 1))


def timer(*, ticks: int, left_ns: int, period_ns: int) -> bytes:
    owner = Field(3, 2, entry(0, 0))
    numbers = {1: 14, 2: 2050, 4: 1, 5: ticks, 6: 0, 7: 0, 8: left_ns, 9: 0, 10: period_ns}
    fields = [*(Field(number, 0, value) for number, value in numbers.items()), owner]
    inner = encode_fields(sorted(fields, key=lambda field: field.number))
    return encode_fields([Field(1, 0, 17), Field(2, 0, 14), Field(12, 2, inner)])


def left_ns(image: bytes) -> int:
    (file,) = split_image(image)[1]
    (inner,) = (field.value for field in decode_fields(file) if field.number == 12)
    assert isinstance(inner, bytes)
    return number_of(decode_fields(inner), 8)


def test_daemon_that_forked_twice_leads_its_own_session() -> None:
    tree = [
        Kin(pid=1000, parent=0, group=1000, session=1000),
        Kin(pid=1003, parent=1000, group=1001, session=1001),
        Kin(pid=1004, parent=1003, group=1001, session=1001),
        Kin(pid=1005, parent=1003, group=1005, session=1001),
    ]
    assert settle_sessions(tree) == [
        tree[0],
        Kin(pid=1003, parent=1000, group=1003, session=1003),
        Kin(pid=1004, parent=1003, group=1003, session=1003),
        Kin(pid=1005, parent=1003, group=1005, session=1003),
    ]


def test_two_daemons_of_one_dead_leader_part() -> None:
    tree = [
        Kin(pid=1000, parent=0, group=1000, session=1000),
        Kin(pid=1003, parent=1000, group=1001, session=1001),
        Kin(pid=1004, parent=1000, group=1001, session=1001),
    ]
    assert [kin.session for kin in settle_sessions(tree)] == [1000, 1003, 1004]


def test_leader_that_ended_and_was_not_reaped_leads_nobody() -> None:
    tree = [
        Kin(pid=1000, parent=0, group=1000, session=1000),
        Kin(pid=1001, parent=1000, group=1001, session=1001),
        Kin(pid=1003, parent=1000, group=1001, session=1001),
        Kin(pid=1004, parent=1003, group=1001, session=1001),
    ]
    assert settle_sessions(tree, dead=frozenset({1001})) == [
        tree[0],
        tree[1],
        Kin(pid=1003, parent=1000, group=1003, session=1003),
        Kin(pid=1004, parent=1003, group=1003, session=1003),
    ]


def test_session_of_the_shim_is_left_alone() -> None:
    tree = [
        Kin(pid=1000, parent=0, group=1000, session=1),
        Kin(pid=1001, parent=1000, group=1001, session=1),
    ]
    assert settle_sessions(tree) == tree


def test_image_without_orphaned_session_is_the_very_same() -> None:
    image = join_image(HEAD, [entry(1000, 0, 1000, 1000, 1000), entry(1001, 1000, 1001, 1000)])
    assert mend_pstree(image) is image


def test_image_with_orphaned_session_changes_only_group_and_session() -> None:
    image = join_image(HEAD, [entry(1000, 0, 1000, 1000), entry(1003, 1000, 1001, 1001, 1003)])
    mended = split_image(mend_pstree(image))[1]
    assert mended == [entry(1000, 0, 1000, 1000), entry(1003, 1000, 1003, 1003, 1003)]


def test_expired_periodic_timer_goes_on() -> None:
    image = join_image(HEAD, [timer(ticks=1, left_ns=0, period_ns=50_000_000)])
    assert left_ns(mend_files(image)) == 1


def test_timers_that_run_or_were_never_set_stay_as_they_are() -> None:
    for file in (
        timer(ticks=0, left_ns=7, period_ns=50),
        timer(ticks=1, left_ns=0, period_ns=0),
        timer(ticks=0, left_ns=0, period_ns=50),
    ):
        image = join_image(HEAD, [file])
        assert mend_files(image) is image


def test_a_tree_that_leaves_its_session_behind_leads_one_of_its_own() -> None:
    """A shell of an ssh session (pid 50) has started ``nohup job &`` and has ended."""
    tree = [Kin(100, 1, 100, 50), Kin(101, 100, 100, 50), Kin(102, 100, 102, 102)]
    assert settle_sessions(tree) == tree, "a job with a terminal is in the session of its shim"
    assert settle_sessions(tree, alone=True) == [
        Kin(100, 1, 100, 100),
        Kin(101, 100, 100, 100),
        Kin(102, 100, 102, 102),
    ]
