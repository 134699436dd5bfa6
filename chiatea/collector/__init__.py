"""One machine watched: its hardware and its Chia, folded into one state."""
