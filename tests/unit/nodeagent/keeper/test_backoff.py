from nodeagent.keeper.backoff import Backoff


def test_first_restart_is_within_a_second_and_later_ones_wait_longer() -> None:
    backoff = Backoff()
    delays = [backoff.delay_s(lived_s=0) for _ in range(12)]
    assert delays[0] < 1
    assert delays == sorted(delays)
    assert delays[-1] == 30


def test_agent_that_lived_long_is_restarted_at_once_again() -> None:
    backoff = Backoff()
    for _ in range(10):
        backoff.delay_s(lived_s=0)
    assert backoff.delay_s(lived_s=3600) < 1
