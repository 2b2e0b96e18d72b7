from nodeagent.shim.lease import Lease


def test_lease_ends_its_time_after_the_last_renewal() -> None:
    lease = Lease(30, now_s=100)
    assert lease.time_left_s(110) == 20
    lease.renew(110)
    assert lease.time_left_s(139) == 1
    assert lease.time_left_s(141) == 0


def test_lease_of_zero_never_ends() -> None:
    assert Lease(0, now_s=0).time_left_s(1e9) is None


def test_renewal_can_end_the_lease_for_ever() -> None:
    lease = Lease(30, now_s=0)
    lease.renew(10, lease_s=0)
    assert lease.time_left_s(1000) is None
