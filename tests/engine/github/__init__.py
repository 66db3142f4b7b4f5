"""GitHub's REST API, as far as workflows ask for it, held to GitHub's own description of it.

A request that GitHub does not describe, or one that its job has no permission for, fails as it would there; an answer
that is not as described ends the test.
"""
