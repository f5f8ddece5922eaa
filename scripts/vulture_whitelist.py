"""Names that only look unused to vulture: parameters that a protocol names for its implementers."""
# ruff: noqa: B018, F821

limit
max_bytes
schema
