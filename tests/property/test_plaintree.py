"""What is read here of a plain line is what shfmt says of it, whatever the line."""

from __future__ import annotations

import json
import subprocess

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shell.language.plaintree import plain_tree
from shell.language.plan import Names, Step, plan
from shell.language.structure import leaves_of
from ssi.client.shfmt import shfmt

PIECES = (
    "a", "b", "cd", "@n2", "@{n1..n3}", "'q |;'", '"x $y"', "$z", "2", "2>", ">", ">>", "<", "&>",
    "|", "|&", "&&", "||", ";", "&", "!", "x=1", "if", "[", "]", "(", ")", "#", "n1:/t", "*.c",
    "\\", "$(a)", "`a`", "<<", "<<<", "{", "}", "~", "$?", "time", ">&", "1", "''", "-c", "[[",
    "é", "\n",
)  # fmt: skip

PLAIN = (*PIECES[:20], "a", "b", "@n2", "c -d", "'e'", "!")


def lines_of(pieces: tuple[str, ...]) -> st.SearchStrategy[str]:
    parts = st.tuples(st.sampled_from(pieces), st.sampled_from([" ", " ", " ", ""]))
    return st.lists(parts, max_size=9).map(lambda found: "".join(map("".join, found)))


NAMES = Names(nodes=frozenset({"n1", "n2", "n3"}))


def steps_by_shfmt(line: str) -> tuple[object, list[Step]] | None:
    program = shfmt()
    assert program
    done = subprocess.run(
        [program, "--to-json", "-ln", "bash"],
        input=line.encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        return None
    tree = json.loads(done.stdout)
    return leaves_of(tree), plan(line, tree, NAMES)


@settings(max_examples=300, deadline=None)
@given(st.one_of(lines_of(PIECES), lines_of(PLAIN)))
@example("22> a ")
@example("2x=1[ -c")
@example("2> a a[[ ")
@example("a ;&> a a ")
def test_a_plain_line_is_read_as_shfmt_reads_it(line: str) -> None:
    tree = plain_tree(line)
    if tree is None:
        return
    assert (leaves_of(tree), plan(line, tree, NAMES)) == steps_by_shfmt(line)


def test_what_people_type_most_is_plain() -> None:
    for line in (
        "ls -l *.c | grep x",
        "seq 9 | @n2 wc -l |& @n3 cat > n1:/tmp/x",
        "cd x && make -j8 2>err || echo failed; jobs &",
        "@{n1..n3} uname -r",
        "echo \"$HOME\" 'a | b' $?",
    ):
        assert plain_tree(line) is not None, line
