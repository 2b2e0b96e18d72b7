"""What a line says: bash, and where. Pure: text in, a plan out; nothing is ever expanded here."""
