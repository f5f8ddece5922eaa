"""Lamps, bar, buzzer and buttons on the GPIO header."""
