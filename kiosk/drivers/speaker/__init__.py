"""A loudspeaker behind ALSA: clips joined at run time, played by `aplay`."""
