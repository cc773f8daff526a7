"""What a model cannot see, hear or open, read for it: OCR, text from documents, transcription; addresses fetched.

Wired through ``service``; ``Read`` is the step on the line. Files are read in processes of their own (``helper``,
``child``), which start with the first file. A room of its own and not a part of shaping: it has processes, sockets and
packages that nothing else needs, and knows nothing of answers. Nothing is imported here: the configuration needs
``config`` alone.
"""
