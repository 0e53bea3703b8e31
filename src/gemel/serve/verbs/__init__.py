"""What a service can be asked, one file a verb: the function between its body and its reply.

Each function takes a context and a body and is a verb in steps (`serve.steps`). Python, the command
line and HTTP call the same one, so that they cannot answer differently.
"""
