"""`kiosk preflight`: a technician at a console is walked through every device while the kiosk itself is stopped."""
