"""The firmware of a mass-sampling kiosk: scans become facts, facts become labelled tubes and released groups."""

__version__ = "0.1.0"
