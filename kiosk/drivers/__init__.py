"""Hardware. Each device is a loop that opens, works, loses, waits and reopens (`base.keep_open`); codecs are pure."""
