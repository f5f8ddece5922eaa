"""A numeric keypad on which a volunteer types for those who cannot (rules G7, P6)."""
