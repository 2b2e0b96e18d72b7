"""What agents, keepers' clients and faces say to each other: messages and their codec.

``docs/protocol.md`` is the authority and was written first; :mod:`ssi.protocol.messages` is the
closed union of what can be asked and answered, :mod:`ssi.protocol.envelope` is what carries one,
and :mod:`ssi.protocol.codec` is the only place where bytes become typed values.
"""
