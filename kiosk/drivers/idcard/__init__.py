"""Resident-ID-card reader modules (SDT protocol): codec, card contents, driver, simulated reader."""
