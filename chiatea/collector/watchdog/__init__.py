"""What all sources tell, folded into one truth, each fact once."""
