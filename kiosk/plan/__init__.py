"""A site before it exists: the real flows in virtual time, with the people, the paces and the mishaps of a day."""
