"""The collector: watches one machine and its Chia, and sends what changed."""
