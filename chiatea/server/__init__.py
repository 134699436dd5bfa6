"""The server: takes in what collectors tell, keeps it, and pushes it to dashboards."""
