"""Updates: a signed bundle goes into the slot that does not run, is tried once, and stays only if the kiosk is well."""
