"""The clients' side of the wire: how collectors, copiers, dashboards and commands reach the server."""
