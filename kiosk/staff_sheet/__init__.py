"""`kiosk staff-sheet`: badges and command codes on paper, made at the command post. The daemon does not know it."""
