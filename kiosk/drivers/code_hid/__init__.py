"""Code scanners that type like a keyboard (keyboard wedge)."""
