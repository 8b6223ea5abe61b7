"""`manage.py demo`: the whole journey against the running service, for people who see it for the first time.

Everything goes over HTTP, as any client's requests would; only the auditor's account is made here, as an operator
makes one. Promises: no whole token, password or code is printed; what it made is disabled at the end.
"""
