"""The minimal receiver of the command post."""
