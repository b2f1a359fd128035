"""A TCP proxy that can go silent: its sockets stay open, and nothing passes any more."""

import contextlib
import socket
import threading
from itertools import count


class Proxy:
    """Stands before a server on loopback. What was connected before `thaw` stays silent for ever once frozen."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._numbers = count(1)
        self._frozen = False
        #: Connections by number: those that are half-open for good.
        self._dead_up_to = 0
        self._newest = 0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """From now on nothing passes; connections can be made all the same."""
        self._frozen, self._dead_up_to = True, self._newest

    def thaw(self) -> None:
        """What connects from now on is served; what was connected knows nothing of it."""
        self._frozen, self._dead_up_to = False, self._newest

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                self._sockets.append(server)
                self._newest = number = next(self._numbers)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink, number), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._passes(number):
                    sink.sendall(data)
        if self._passes(number):
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

    def _passes(self, number: int) -> bool:
        return not self._frozen and number > self._dead_up_to
