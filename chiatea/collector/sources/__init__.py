"""Where the collector looks. Sources read and never write."""
