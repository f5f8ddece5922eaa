"""The panel as JSON lines over a Unix socket: for a site's own lamp box, for the simulator, for tests."""
