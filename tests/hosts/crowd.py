"""Many programs at once on one mount. Each knows what it wrote and looks whether it is there."""

from __future__ import annotations

PROGRAM = r"""
import hashlib, json, os, random, sys, time
where, clients, seconds, seed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
until = time.monotonic() + seconds

def client(number):
    draw = random.Random(f"{seed} {number}")
    own = f"{where}/{number}"
    os.mkdir(own)
    log = os.open(f"{where}/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    files, deeds, lines = {}, 0, 0
    while time.monotonic() < until or deeds < 20:
        deeds += 1
        kind = draw.randrange(7)
        path = f"{own}/{draw.randrange(12)}"
        if kind <= 1:  # written anew
            data = draw.randbytes(draw.choice((0, 1, 4096, 5000, 70_000, 300_000)))
            with open(path, "wb", buffering=0) as file:
                for begin in range(0, len(data), 20_000):
                    file.write(data[begin : begin + 20_000])
            files[path] = data
        elif kind == 2:  # in the middle, and behind the end
            at, data = draw.randrange(100_000), draw.randbytes(draw.randrange(1, 3000))
            old = files.get(path, b"")
            file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            assert os.pwrite(file, data, at) == len(data)
            os.close(file)
            files[path] = old[:at].ljust(at, b"\0") + data + old[at + len(data):]
        elif kind == 3 and path in files:
            target = f"{own}/{draw.randrange(12)}"
            os.rename(path, target)
            files[target] = files.pop(path)
        elif kind == 4 and path in files:
            os.unlink(path)
            del files[path]
        elif kind == 5:
            line = f"{number} {lines}\n".encode()
            assert os.write(log, line) == len(line)
            lines += 1
        elif path in files:
            assert os.stat(path).st_size == len(files[path]), path
            with open(path, "rb") as file:
                found = file.read()
            assert found == files[path], (path, len(found), len(files[path]))
        else:
            assert not os.path.exists(path), path
    names = sorted(os.listdir(own))
    assert names == sorted(os.path.basename(path) for path in files), names
    sums = {path: hashlib.blake2b(data).hexdigest() for path, data in files.items()}
    print(json.dumps([number, deeds, lines, sums]), flush=True)

children = {}
for number in range(clients):
    pid = os.fork()
    if not pid:
        status = 1
        try:
            client(number)
            status = 0
        except BaseException as exc:
            print(f"client {number}: {exc!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    children[pid] = number
sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
"""
"""``argv``: a directory, how many clients, for how many seconds, seed.

Each prints, as JSON, its number, how many operations it made, how many lines it appended to the
log of all, and the checksums (BLAKE2b) of its files by path.
"""
