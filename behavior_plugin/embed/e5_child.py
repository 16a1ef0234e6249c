"""The child process that has the engine of multilingual-e5-small: `python -I -S e5_child.py ENGINE MODEL`.

Its native code has crashed on odd texts, so it has a process of its own. Each request on stdin is the length of a UTF-8
text, as four bytes, and the text; each answer on stdout is the vector, 384 floats of four bytes, and the number of
pieces of words in the text, as four bytes. It ends when stdin does, also in the middle of a text, so it never outlives
the process that started it. Standard library only.
"""

import ctypes
import os
import queue
import resource
import signal
import struct
import sys
import threading

LENGTH = struct.Struct("<I")
# The model wants to know on which side of a search a text is; with this one on both, likeness is best.
IS_QUERY = 1


def main(engine_file: str, model_file: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one typed in a terminal is for the process that started this one
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would have the text in it
    texts: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(texts,), daemon=True).start()
    engine = ctypes.CDLL(engine_file)
    engine.e5_load.restype = ctypes.c_void_p
    engine.e5_load.argtypes = [ctypes.c_char_p]
    engine.e5_dim.argtypes = [ctypes.c_void_p]
    engine.e5_embed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float)]
    engine.e5_token_count.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    model = engine.e5_load(os.fsencode(model_file))
    if not model:
        sys.exit(1)
    vector = (ctypes.c_float * engine.e5_dim(model))()
    no_pieces = engine.e5_token_count(model, b"", IS_QUERY)
    while True:
        text = texts.get()
        engine.e5_embed(model, text, IS_QUERY, vector)
        _write(bytes(vector) + LENGTH.pack(max(0, engine.e5_token_count(model, text, IS_QUERY) - no_pieces)))


def _read(texts: "queue.SimpleQueue[bytes]") -> None:
    while length := sys.stdin.buffer.read(LENGTH.size):
        texts.put(sys.stdin.buffer.read(LENGTH.unpack(length)[0]))
    os._exit(0)


def _write(answer: bytes) -> None:
    try:
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
    except OSError:  # nobody waits for it any more
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
