"""ESC/POS: receipt printers, and label printers in receipt mode."""
