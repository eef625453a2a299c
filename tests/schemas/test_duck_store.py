"""An object that DuckDB's threads share: each reads where it has sought, whatever the others do."""

import random
import threading

from pyarrow.fs import LocalFileSystem

from schemas.duck_store import _Reader


def test_each_thread_reads_where_it_has_sought(tmp_path):
    content = bytes(range(256)) * 4096
    (tmp_path / "object").write_bytes(content)
    reader = _Reader(LocalFileSystem().open_input_file(str(tmp_path / "object")))
    wrong: list[int] = []

    def read(seed: int) -> None:
        chosen = random.Random(seed)
        for _ in range(500):
            at = chosen.randrange(len(content) - 3000)
            reader.seek(at)
            if reader.read(1000) + reader.read(1000) != content[at : at + 2000]:
                wrong.append(at)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert reader.seek(-5, 2) == len(content) - 5 and reader.read() == content[-5:]
