"""The dashboard: subscribes to the server and shows the farm live."""
