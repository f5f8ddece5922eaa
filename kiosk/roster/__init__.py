"""The roster (花名册): who is expected at a site, from a table that people keep to digests that the kiosk looks up.

On the card lie keyed digests, places and days; names, numbers and phones only in a box that the command post opens.
"""
