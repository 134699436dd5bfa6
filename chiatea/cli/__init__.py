"""The command line: each command parses, then calls one function. What a command needs it imports when it runs."""
