"""A small Redis client, in place of the library of whoever copies this example."""

import socket

__version__ = "1.0"


class Client:
    """One connection."""

    def __init__(self, host, port, unix_socket=None, password=None):
        self.place = unix_socket or (host, port)
        self.password = password

    def connect(self):
        if isinstance(self.place, str):
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.connect(self.place)
        else:
            self.connection = socket.create_connection(self.place)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.connection.makefile("rb")
        if self.password:
            self.execute("AUTH", self.password)

    def set(self, key, value):
        return self.execute("SET", key, value)

    def get(self, key):
        return self.execute("GET", key)

    def execute(self, *words):
        """Sends a command and returns its reply."""
        self.connection.sendall(encoded(words))
        return self.reply()

    def reply(self):
        line = self.replies.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.replies.read(length + 2)[:-2].decode()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        raise ConnectionError(f"unexpected reply: {line!r}")


def encoded(words):
    words = [word.encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
