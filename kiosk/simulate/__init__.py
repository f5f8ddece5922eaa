"""A site at work without hardware: simulated devices, residents and a broker around the unmodified daemon."""
