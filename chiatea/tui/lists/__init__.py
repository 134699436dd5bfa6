"""The lists: each says what its rows are, how one is drawn, and what is found in it."""
