"""What becomes of a line; its structure comes from the real shfmt."""

from __future__ import annotations

import json
import subprocess

import pytest

from shell.language.plan import Names, Step, plain_plan, plan
from ssi.client.shfmt import shfmt

NAMES = Names(
    functions=frozenset({"f"}),
    aliases={"ll": "ls -l", "greet": "echo hello", "ls": "ls --color"},
    nodes=frozenset({"n1", "n2", "n3"}),
)


def planned(line: str, names: Names = NAMES) -> list[Step]:
    quick = plain_plan(line, names)
    if quick is not None:
        return quick
    program = shfmt()
    assert program
    done = subprocess.run(
        [program, "--to-json"], input=line.encode(), capture_output=True, check=True, timeout=30
    )
    return plan(line, json.loads(done.stdout), names)


def kinds(line: str, names: Names = NAMES) -> list[tuple[str, str, str]]:
    return [(step.kind, step.joint, step.text) for step in planned(line, names)]


@pytest.mark.parametrize(
    "line",
    [
        "true",
        "cd /tmp; x=1; f() { echo $x; }; f",
        "x=1 make",
        "for i in 1 2; do make $i; done",
        "[[ -n $x ]] && echo é",
        "greet",
        "! f",
        "coproc cat",
        "cat() { :; }",
        "$EDITOR file",
        "time true",
        'echo "@n2 is no placement" @n2',
    ],
)
def test_what_bash_itself_does_goes_there_byte_for_byte(line: str) -> None:
    assert kinds(line) == [("session", "", line)]


@pytest.mark.parametrize(
    "line", ["ls -l foo", "ll", "make && ./run", "sort f | uniq -c >g", "make"]
)
def test_programs_where_the_session_is_are_one_job_byte_for_byte(line: str) -> None:
    assert kinds(line) == [("job", "", line)]


def test_a_list_is_cut_where_some_of_it_is_a_program() -> None:
    assert kinds("cd x && make; echo done") == [
        ("session", "", "cd x"),
        ("job", "&&", "make"),
        ("session", "", "echo done"),
    ]


def test_with_errexit_or_a_trap_all_is_left_to_bash() -> None:
    strict = Names(nodes=NAMES.nodes, is_strict=True)
    assert kinds("cd x && make", strict) == [("session", "", "cd x && make")]
    assert kinds("@n2 make", strict) == [("session", "", "__ssi_at nodes:n2 make")]


def test_a_placement_is_taken_out_and_the_rest_is_as_it_was_typed() -> None:
    (step,) = planned("""@n2 echo "$HOME"  *.txt >'a b'""")
    assert step.kind == "job"
    assert step.text == """echo "$HOME"  *.txt >'a b'"""
    assert step.parts[0].placement is not None
    assert step.parts[0].placement.text == "n2"


def test_stages_of_a_pipeline_each_have_their_place() -> None:
    (step,) = planned("seq 9 | @n2 wc -l |& @n3 cat > n1:/tmp/x")
    assert step.kind == "spread"
    places = [part.placement.text if part.placement else "" for part in step.parts]
    assert places == ["", "n2", "n3"]
    assert [part.text for part in step.parts] == ["seq 9", "wc -l", "cat > /ssi/n/n1/tmp/x"]
    assert [part.takes_errors for part in step.parts] == [False, False, True]


def test_placements_within_compounds_become_calls_that_bash_makes() -> None:
    assert kinds("for i in 1 2; do @n2 echo $i >n1:/t; done") == [
        ("session", "", "for i in 1 2; do __ssi_at nodes:n2 'echo $i >/ssi/n/n1/t'; done")
    ]


def test_a_here_document_stays_with_its_command() -> None:
    assert kinds("@n2 cat <<E\nx\nE\n") == [("session", "", "__ssi_at nodes:n2 cat <<E\nx\nE\n")]


def test_a_placement_alone_moves_the_session_or_shows_it() -> None:
    assert [step.kind for step in planned("@n3; @")] == ["move", "move"]


def test_background_and_negation_are_of_the_shell() -> None:
    first, second = planned("sleep 5 & ! @n2 false")
    assert (first.kind, first.text.strip(), first.background) == ("job", "sleep 5", True)
    assert (second.kind, second.text, second.negated) == ("job", "false", True)
    (both,) = planned("make && f &")
    assert (both.kind, both.text, both.background) == ("job", "make && f", True)


@pytest.mark.parametrize("line", ["jobs -l", "fg", "kill -9 %1", "kill 35000001", "migrate %1 n3"])
def test_words_of_the_shell_are_its_own(line: str) -> None:
    assert [step.kind for step in planned(line)] == ["own"]


@pytest.mark.parametrize("line", ["kill 4321", "kill -l", "command ps", "kill $pid"])
def test_words_of_bash_stay_bashs(line: str) -> None:
    assert [step.kind for step in planned(line)] == ["session"]


def test_verbs_in_a_pipeline_are_the_commands_of_ssi() -> None:
    assert kinds("ps | grep x") == [("session", "", "ssi ps | grep x")]
    scripts = Names(has_verbs=False)
    assert kinds("ps | grep x >y; a", scripts)[0][2] == "ps | grep x >y"


def test_files_of_other_nodes_are_only_those_of_nodes() -> None:
    assert kinds("cat <n1:/etc/x") == [("job", "", "cat </ssi/n/n1/etc/x")]
    assert kinds("cat <n9:/etc/x") == [("job", "", "cat <n9:/etc/x")]
