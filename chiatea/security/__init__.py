"""Who may do what: the server's certificate, the tokens of its clients, and what their roles allow.

A leaf: nothing here knows of configuration, the wire or the command line. Paths and times are arguments.
"""
