"""Certificates, tokens and roles: who a server is, and who may do what. A leaf: it knows nothing of the rest."""
