"""Where the collector looks: each module watches one thing and turns what it says into observations or entries."""
