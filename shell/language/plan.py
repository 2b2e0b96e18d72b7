"""What becomes of a line: which of its parts the session's bash evaluates, and which are jobs.

The text of every part is a piece of the line as it was typed; only placements are taken out, and
``n1:/path`` behind a redirection becomes that node's file. A line without either goes to bash byte
for byte.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from shell.language.placement import Placement, parse_placement
from shell.language.structure import Call, Joint, Leaf, Span, Stage, Tree, calls_of, leaves_of

PLAIN: Final = re.compile(r"[A-Za-z0-9_./%+:,=-]+(?:[ \t]+[A-Za-z0-9_./%+:,=-]+)*[ \t]*")
"""A line of plain words, whose structure nobody needs to be asked for."""

_LITERAL: Final = re.compile(r"[A-Za-z0-9_./%+:,-]+")
_REMOTE: Final = re.compile(r"([A-Za-z0-9_.-]+):(/.*)", re.DOTALL)

BUILTINS: Final = frozenset(
    ". : [ alias bg bind break builtin caller cd command compgen complete compopt continue declare "
    "dirs disown echo enable eval exec exit export false fc fg getopts hash help history jobs kill "
    "let local logout mapfile popd printf pushd pwd read readarray readonly return set shift shopt "
    "source suspend test times trap true type typeset ulimit umask unalias unset wait".split(" ")
)
"""Of bash."""

KEYWORDS: Final = frozenset(
    "! [[ ]] { } case coproc do done elif else esac fi for function if in select then time until "
    "while".split(" ")
)

JOB_BUILTINS: Final = frozenset({"jobs", "fg", "bg", "wait", "disown", "kill"})
"""What the shell does itself, for jobs of its own."""

VERBS: Final = frozenset(
    "adopt attach checkpoint checkpoints clone cont cordon doctor down drain events explain freeze "
    "lab logs migrate nodes ps restore run stop thaw top uncordon up why".split(" ")
)
"""Commands of ``ssi`` that need not be called by that name. Those that are called as programs that
people have in their fingers (``ls``, ``cat``, ``cp``, ``tail``, ``free``) do."""

StepKind: TypeAlias = Literal["session", "job", "spread", "own", "move"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A command of a pipeline and where it runs: None for where the session is."""

    text: str
    placement: Placement | None = None
    takes_errors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is done as one.

    Attributes:
        kind: ``session``: evaluated by the session's bash. ``job``: one job. ``spread``: a
            pipeline over several nodes. ``own``: a builtin of the shell. ``move``: a placement
            alone.
        text: For bash; of a builtin its words as they are quoted.
        joint: With what went before.
        parts: Of a spread one, and the one of a job.
        background: With ``&``.
        negated: Its status counts the other way round.
        is_simple: One command, so its status is all of ``PIPESTATUS``.
        shown: As it was typed.
    """

    kind: StepKind
    text: str
    joint: Joint = ""
    parts: tuple[Part, ...] = ()
    background: bool = False
    negated: bool = False
    is_simple: bool = True
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What decides what a word means.

    Attributes:
        functions: Of the session.
        aliases: Of the session, with what they stand for.
        nodes: Of the system.
        is_strict: ``set -e`` or a trap: all that may end the shell is left to bash.
        has_verbs: Whether commands of ``ssi`` go by their own names; not so in scripts.
    """

    functions: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()
    is_strict: bool = False
    has_verbs: bool = True


def plain_plan(text: str, names: Names) -> list[Step] | None:
    """The plan of a line of plain words; None where its structure has to be known."""
    if not PLAIN.fullmatch(text):
        return None
    words = text.split()
    if any("=" in word for word in words[:1]):
        return [Step(kind="session", text=text, shown=text)]
    if words[0] in KEYWORDS and words[0] not in names.aliases:
        return None
    return [_simple(text, words, names)]


def plan(text: str, tree: Tree, names: Names) -> list[Step]:
    """What becomes of a line, in order.

    Args:
        text: The line.
        tree: Its structure, as shfmt's JSON has it.
        names: What its words may mean.
    """
    source = _Source(text.encode("utf-8", "surrogateescape"), names)
    statements = leaves_of(tree)
    leaves = [leaf for statement in statements for leaf in statement]
    if not source.has_placement(tree) and (
        names.is_strict or "$!" in text or not any(source.is_apart(leaf) for leaf in leaves)
    ):
        return [Step(kind="session", text=source.with_targets(tree), shown=text)]
    is_move = len(leaves) == 1 and source.is_move(leaves[0])
    if (names.is_strict and not is_move) or "$!" in text or _has_document(leaves):
        return [Step(kind="session", text=source.rewritten(tree), shown=text)]
    if len(leaves) > 1 and all(source.is_program(leaf) for leaf in leaves):
        return [_job(source.with_targets(tree), text, is_simple=False)]
    steps: list[Step] = []
    for statement in statements:
        if len(statement) > 1 and statement[-1].background:
            span = Span(start=statement[0].whole.start, end=statement[-1].whole.end)
            inner = source.rewritten(tree, span)
            steps.append(_job(inner, source.cut(span), background=True))
        else:
            steps += [source.step(leaf, tree) for leaf in statement]
    return steps


def with_calls(text: str, tree: Tree, nodes: frozenset[str]) -> str:
    """A script with calls of ``__ssi_at`` in the place of its placements; else as it is."""
    source = _Source(text.encode("utf-8", "surrogateescape"), Names(nodes=nodes, has_verbs=False))
    return source.rewritten(tree)


def _has_document(leaves: list[Leaf]) -> bool:
    """A here-document's text stands apart from its command, so no piece of the line has both."""
    calls = [stage.call for leaf in leaves for stage in leaf.stages]
    return any(call is not None and call.has_document for call in calls)


def _simple(text: str, words: list[str], names: Names) -> Step:
    """One simple command of literal words."""
    first = words[0]
    if first in names.functions:
        return Step(kind="session", text=text, shown=text)
    if is_own(words) and first not in names.aliases:
        return Step(kind="own", text=text, shown=text)
    if names.is_strict or not is_program(first, names):
        return Step(kind="session", text=text, shown=text)
    return _job(text, text)


def is_own(words: list[str]) -> bool:
    """Whether the shell itself does what these words say."""
    if words[0] == "kill":
        return any(word.startswith("%") or _is_gpid(word) or word == "$!" for word in words[1:])
    return words[0] in JOB_BUILTINS or words[0] in VERBS


def _is_gpid(word: str) -> bool:
    return word.isdigit() and int(word) >= 10_000_000


def is_program(word: str, names: Names, depth: int = 0) -> bool:
    """Whether a literal first word names a program, through all its aliases."""
    if word in names.aliases and depth < 8:
        first, *rest = names.aliases[word].split() or [""]
        if not _LITERAL.fullmatch(first) or any(set(each) & set("|&;<>()$`") for each in rest):
            return False
        if first == word:
            return word not in BUILTINS | KEYWORDS | names.functions
        return is_program(first, names, depth + 1)
    return word not in BUILTINS | KEYWORDS | names.functions


def _job(text: str, shown: str, *, background: bool = False, is_simple: bool = True) -> Step:
    return Step(
        kind="job",
        text=text,
        parts=(Part(text=text),),
        background=background,
        is_simple=is_simple,
        shown=shown,
    )


class _Source:
    """The text of a line, from which parts are cut."""

    def __init__(self, data: bytes, names: Names) -> None:
        self._data = data
        self._names = names

    def cut(self, span: Span) -> str:
        return self._data[span.start : span.end].decode("utf-8", "surrogateescape")

    def placement(self, call: Call | None) -> Placement | None:
        """That a simple command begins with."""
        if call is None or not call.words:
            return None
        return parse_placement(self.cut(call.words[0]))

    def has_placement(self, tree: Tree) -> bool:
        return b"@" in self._data and any(self.placement(call) for call in calls_of(tree))

    def is_apart(self, leaf: Leaf) -> bool:
        """Whether any of it is done by other means than evaluating it."""
        if leaf.background or self.is_program(leaf):
            return True
        call = leaf.stages[0].call
        return len(leaf.stages) == 1 and call is not None and self._own_words(call) is not None

    def is_program(self, leaf: Leaf) -> bool:
        """Whether it is a pipeline of programs where the session is, in the foreground."""
        calls = [stage.call for stage in leaf.stages]
        return not (leaf.background or leaf.negated or leaf.is_timed) and all(
            call is not None
            and call.words
            and not call.has_assignments
            and _LITERAL.fullmatch(self.cut(call.words[0]))
            and self._own_words(call) is None
            and is_program(self.cut(call.words[0]), self._names)
            for call in calls
        )

    def is_move(self, leaf: Leaf) -> bool:
        """Whether it is a placement alone."""
        call = leaf.stages[0].call
        return len(leaf.stages) == 1 and call is not None and call.words == (call.whole,)

    def step(self, leaf: Leaf, tree: Tree) -> Step:
        """What becomes of one pipeline."""
        shown = self.cut(leaf.whole)
        placements = [self.placement(stage.call) for stage in leaf.stages]
        if leaf.is_timed or not any(placements):
            return self._unplaced(leaf, tree, shown)
        if len(leaf.stages) > 1:
            parts = tuple(self._part(stage, tree) for stage in leaf.stages)
            text = self.rewritten(tree, leaf.whole)
            kind: StepKind = "spread"
        else:
            parts = (self._part(leaf.stages[0], tree),)
            text = parts[0].text
            kind = "job" if text.strip() else "move"
        return Step(
            kind=kind,
            text=text,
            parts=parts,
            joint=leaf.joint,
            background=leaf.background,
            negated=leaf.negated,
            shown=shown,
        )

    def _unplaced(self, leaf: Leaf, tree: Tree, shown: str) -> Step:
        text = self.rewritten(tree, leaf.whole)
        call = leaf.stages[0].call
        kind: StepKind = "session"
        if not leaf.background and len(leaf.stages) == 1 and call is not None:
            words = self._own_words(call)
            if words is not None:
                return Step(
                    kind="own",
                    text=shlex.join(words),
                    joint=leaf.joint,
                    negated=leaf.negated,
                    shown=shown,
                )
        if leaf.background or self.is_program(leaf):
            kind = "job"
        return Step(
            kind=kind,
            text=text,
            joint=leaf.joint,
            parts=(Part(text=text),) if kind == "job" else (),
            background=leaf.background,
            is_simple=len(leaf.stages) == 1,
            shown=shown,
        )

    def _own_words(self, call: Call) -> list[str] | None:
        """The words of a builtin of the shell; None where it is none, or where bash must expand."""
        if not call.words or call.has_assignments or call.targets or call.has_document:
            return None
        first = self.cut(call.words[0])
        if first in self._names.functions or first in self._names.aliases:
            return None
        if first not in JOB_BUILTINS and first not in VERBS:
            return None
        words = []
        for span in call.words:
            word = self.cut(span)
            if word != "$!" and re.search(r"[$`\\*?{~\[]", word) and not word.startswith("%"):
                return None
            words += shlex.split(word) if word[:1] in "'\"" else [word]
        return words if is_own(words) else None

    def _is_verb(self, word: str) -> bool:
        names = self._names
        return names.has_verbs and word in VERBS - names.functions - names.aliases.keys()

    def _part(self, stage: Stage, tree: Tree) -> Part:
        placement = self.placement(stage.call)
        if placement is None or stage.call is None:
            return Part(text=self.rewritten(tree, stage.whole), takes_errors=stage.takes_errors)
        text = self._edited(stage.call.whole, self._unplacing(stage.call))
        return Part(text=text, placement=placement, takes_errors=stage.takes_errors)

    def _unplacing(self, call: Call) -> list[tuple[Span, str]]:
        word = call.words[0]
        end = call.words[1].start if len(call.words) > 1 else word.end
        return [(Span(start=word.start, end=end), ""), *self._targets(call)]

    def _targets(self, call: Call) -> list[tuple[Span, str]]:
        edits = []
        if call.words and self._is_verb(self.cut(call.words[0])):
            start = call.words[0].start
            edits.append((Span(start=start, end=start), "ssi "))
        for span in call.targets:
            match = _REMOTE.fullmatch(self.cut(span))
            if match and match[1] in self._names.nodes:
                edits.append((span, f"/ssi/n/{match[1]}{match[2]}"))
        return edits

    def with_targets(self, tree: Tree) -> str:
        """All of the line, with the files of other nodes at their paths."""
        edits = [edit for call in calls_of(tree) for edit in self._targets(call)]
        return self._edited(Span(start=0, end=len(self._data)), edits)

    def rewritten(self, tree: Tree, span: Span | None = None) -> str:
        """The line, or a piece of it, with calls of ``__ssi_at`` where it has placements."""
        whole = span or Span(start=0, end=len(self._data))
        edits: list[tuple[Span, str]] = []
        done = whole.start
        for call in calls_of(tree):
            if call.whole.start < done or call.whole.end > whole.end:
                continue
            placement = self.placement(call)
            if placement is None:
                edits += self._targets(call)
                continue
            words = Span(start=call.words[0].start, end=call.words[-1].end)
            outer = words if call.has_document else call.whole
            inner = self._edited(
                outer, [edit for edit in self._unplacing(call) if edit[0].end <= outer.end]
            )
            where = f"{placement.kind}:{placement.text}"
            edits.append((outer, f"__ssi_at {shlex.quote(where)} {shlex.quote(inner)}"))
            done = outer.end
        return self._edited(whole, edits)

    def _edited(self, span: Span, edits: list[tuple[Span, str]]) -> str:
        pieces, at = [], span.start
        for where, text in sorted(edits, key=lambda edit: edit[0].start):
            pieces += [self._data[at : where.start], text.encode("utf-8", "surrogateescape")]
            at = where.end
        pieces.append(self._data[at : span.end])
        return b"".join(pieces).decode("utf-8", "surrogateescape")
