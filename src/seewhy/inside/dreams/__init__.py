"""What a network sees into a photo (deep dreams), and what it leaves of one (inverted representations)."""
