"""Code generated from `protocol/`, and the one module that reads its descriptors."""
