"""Finding -> origins: which text of which source file decides a field, by rendering with probe edits."""
