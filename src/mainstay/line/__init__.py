"""The line: the stages of every call in their one order, compiled per route, and the one way an answer leaves."""
