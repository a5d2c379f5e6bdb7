"""What commands ask, of an installation's API: the same words, answered by ``controller.client``.

``documents`` makes of what is answered what a database would have given, ``refusals`` of problems what a command says.
"""
