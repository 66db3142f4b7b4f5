"""Stand-ins for third-party actions, with the interface of the real ones.

Which inputs and outputs an action has, which are required and what their defaults are is in tests/data/actions.json.
What a stand-in does is what matters to a workflow on this machine; a value that it cannot honour is an error.
"""
