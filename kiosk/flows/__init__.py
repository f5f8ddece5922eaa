"""What the kiosk decides, one file per step of a resident's path. Pure: no clock, no I/O, no randomness.

Each file holds its slice of the state, `evolve(slice, change, …) -> slice` and `react(site, item, at)`, which hears
events and facts and says facts, notes and orders.
"""
