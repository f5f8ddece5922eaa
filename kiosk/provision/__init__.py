"""How a kiosk learns who it is: from a file on the card's FAT partition, or from QR codes shown to its scanner."""
