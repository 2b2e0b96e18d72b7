"""Entries of the roster as nodes vouch for them: what changed, who may say so, what follows. Pure.

Whoever installs a roster through a node's door is root there. The node signs what that roster
changed, and the entries then spread through anybody's hands: a node whose agent is not root's can
pass them on, and cannot alter them. Who knows an older roster needs the changes alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from ssi.model.ed25519 import KEY_BYTES, public_key, sign, verify
from ssi.model.node import RevokedKey, Roster, RosterEntry
from ssi.model.sha512 import sha512
from ssi.protocol.codec import decode_statement, encode_statement
from ssi.protocol.pulse import SignedEntry, Statement

DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Signer:
    """A node that vouches. Its repr never shows the secret."""

    name: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Signer({self.name})"

    @property
    def public(self) -> bytes:
        """By which the others know its signatures."""
        return public_key(self.secret)

    def vouch(self, statement: Statement) -> SignedEntry:
        """Signs a statement."""
        encoded = encode_statement(statement)
        return SignedEntry(
            statement=encoded, signer=self.name, signature=sign(self.secret, encoded)
        )


def signer_of(node: str, secret_key: str) -> Signer:
    """A node's signer; its secret is derived from the node's CURVE secret, and is another one."""
    return Signer(node, sha512(b"ssi signs its roster:" + secret_key.encode())[:KEY_BYTES])


def digest_of(roster: Roster) -> bytes:
    """The same for equal rosters; where no key is revoked, also to versions that know of none."""
    fields = [getattr(roster, name) for name in roster.__struct_fields__]
    if not roster.revoked:
        fields.pop()  # it is the last, and was not there once
    return sha512(msgspec.msgpack.encode(fields))[:DIGEST_BYTES]


def changes(before: Roster | None, after: Roster) -> list[Statement]:
    """What a roster says otherwise than the one before it; all of it where there was none."""
    old = {entry.name: entry for entry in before.nodes} if before is not None else {}
    new = {entry.name: entry for entry in after.nodes}
    digest = digest_of(after)

    def statement(
        name: str, entry: RosterEntry | None, revoked: RevokedKey | None = None
    ) -> Statement:
        return Statement(
            system=after.system,
            version=after.version,
            name=name,
            entry=entry,
            next_number=after.next_number,
            digest=digest,
            profile=after.profile,
            revoked=revoked,
        )

    before_revoked = frozenset(before.revoked) if before is not None else frozenset()
    return [
        *(
            statement(name, new.get(name))
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ),
        *(
            statement(f"!{each.public_key} {each.user}", None, each)
            for each in after.revoked
            if each not in before_revoked
        ),
    ]


def may_say(sayer: RosterEntry, known: RosterEntry | None, entry: RosterEntry | None) -> bool:
    """Whether a node is believed when it changes one entry into another.

    One whose agent is root's is. Any other has its own user's word, and can neither bring in nor
    change what is another user's: else it could make itself root on all nodes.
    """
    if sayer.user == "root":
        return True
    return all(each is None or each.user == sayer.user for each in (known, entry))


def may_revoke(sayer: RosterEntry, key: RevokedKey) -> bool:
    """Whether a node is believed about a key: root's in everything, any other for its own user."""
    return sayer.user in {"root", key.user}


def may_change(sayer: RosterEntry, before: Roster, after: Roster) -> bool:
    """Whether a node is believed in all that a roster of its changes."""
    keys = frozenset(before.revoked) ^ frozenset(after.revoked)
    return all(may_revoke(sayer, each) for each in keys) and all(
        may_say(sayer, before.node(each.name), each.entry)
        for each in changes(before, after)
        if each.revoked is None
    )


def follow(roster: Roster, told: Iterable[SignedEntry]) -> Roster | None:
    """The newer roster that those entries lead to.

    None where they lead to none: one is not newer, or nobody who may say so vouches for it, or some
    are missing, so that the digest is another one.

    Raises:
        BadMessage: A statement cannot be read.
    """
    news = [(decode_statement(signed.statement), signed) for signed in told]
    news.sort(key=lambda each: (each[0].version, each[0].name))
    if not news or news[0][0].version <= roster.version:
        return None
    entries = {entry.name: entry for entry in roster.nodes}
    revoked = {each.order: each for each in roster.revoked}
    for statement, signed in news:
        if statement.system != roster.system:
            return None
        signer = entries.get(signed.signer)
        if signer is None or not _may_state(signer, entries.get(statement.name), statement):
            return None
        if not verify(signer.signing_key, signed.statement, signed.signature):
            return None
        if statement.revoked is not None:
            revoked[statement.revoked.order] = statement.revoked
        elif statement.entry is None:
            entries.pop(statement.name, None)
        else:
            entries[statement.name] = statement.entry
    newest, _ = news[-1]
    after = Roster(
        system=roster.system,
        version=newest.version,
        nodes=tuple(sorted(entries.values(), key=lambda entry: entry.number)),
        next_number=newest.next_number,
        profile=newest.profile,
        revoked=tuple(revoked[order] for order in sorted(revoked)),
    )
    return after if digest_of(after) == newest.digest else None


def _may_state(sayer: RosterEntry, known: RosterEntry | None, statement: Statement) -> bool:
    if statement.revoked is not None:
        return may_revoke(sayer, statement.revoked)
    return may_say(sayer, known, statement.entry)
