"""The Open Inference Protocol over gRPC: a listener of its own, the same keys, the same line, the same records.

``inference.proto`` is the protocol, ``messages`` its classes, ``tensors`` what is asked and answered in them,
``service`` what each method does, ``listener`` the port. Imported only where the configuration asks for it: it needs
the extra ``grpc``.
"""
