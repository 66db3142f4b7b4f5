"""Runs the workflows of a rendered project as GitHub would, on this machine.

    repository = Repository(folder, project)              # what GitHub holds
    event = repository.pull_request(edit, author=FORK)    # what happens to it
    result = run_workflow(repository, "tests.yml", event, runner_folder)

The engine is act, in host mode: conditions, matrices, outputs and `needs` are its work, and every `run:` step runs as it
is written. Third-party actions are stand-ins (engine/actions) with the interface of the real ones. GitHub's REST API is
a server on loopback (engine/github.py) that is held to GitHub's own OpenAPI description.
"""
