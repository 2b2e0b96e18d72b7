import pytest

from nodeagent.shim.stage import MAY_END, STEPS, Stage, Step, next_stage
from ssi.model.shim import WrongStage


def test_a_move_takes_the_source_from_running_to_committed() -> None:
    stage = Stage.EMPTY
    for step in (Step.START, Step.DUMP, Step.COMMIT):
        stage = next_stage(stage, step)
    assert stage is Stage.COMMITTED


def test_a_move_takes_the_destination_from_empty_to_running() -> None:
    stage = Stage.EMPTY
    for step in (Step.RESTORE, Step.RESUME):
        stage = next_stage(stage, step)
    assert stage is Stage.RUNNING


@pytest.mark.parametrize("step", [Step.START, Step.RESTORE, Step.COMMIT, Step.RESTORE_HERE])
def test_running_job_refuses_what_would_make_a_second_copy_or_kill_it(step: Step) -> None:
    with pytest.raises(WrongStage) as caught:
        next_stage(Stage.RUNNING, step)
    assert (caught.value.request, caught.value.stage) == (step, "running")


@pytest.mark.parametrize("step", [Step.THAW, Step.COMMIT, Step.RESTORE_HERE, Step.DUMP])
def test_a_lent_job_never_runs_again_and_only_goes(step: Step) -> None:
    stage = next_stage(next_stage(Stage.RUNNING, Step.DUMP), Step.LEND)
    with pytest.raises(WrongStage):
        next_stage(stage, step)
    assert stage not in MAY_END
    assert next_stage(stage, Step.DROP) is Stage.EMPTY


def test_exited_job_takes_no_step() -> None:
    assert not [step for (stage, step) in STEPS if stage is Stage.EXITED]


def test_repeated_requests_of_a_lost_reply_change_nothing() -> None:
    for stage, step in (
        (Stage.RUNNING, Step.THAW),
        (Stage.RUNNING, Step.RESUME),
        (Stage.COMMITTED, Step.COMMIT),
    ):
        assert next_stage(stage, step) is stage


def test_a_shim_never_ends_where_the_only_copy_would_be_lost() -> None:
    assert Stage.RUNNING not in MAY_END
    assert Stage.DUMPED not in MAY_END
