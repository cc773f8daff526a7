"""What may enter and leave: languages, personal data, secrets, injections, moderation, topics, what is new to a route.

Wired through ``service``; ``stage.Screen`` is the step on the line. What looks is loaded once per worker, when a route
first asks for it, works without a network, and is not imported before.
"""
