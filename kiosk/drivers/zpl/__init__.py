"""ZPL, the language of Zebra's printers."""
