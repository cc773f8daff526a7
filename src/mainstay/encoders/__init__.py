"""Small models that run inside Mainstay: texts to numbers, for whatever room needs a text's meaning.

Below the rooms, so that rails, knowledge and caches share one copy of the weights in a process. Nothing loads with the
import, nothing is downloaded.
"""
