import asyncio
import multiprocessing
import stat
from pathlib import Path

import pytest

from mcp_wallet.adapters.anchors.file import TAIL_BYTES, FileAnchor
from mcp_wallet.core.errors import InvariantBroken, OutsideError
from mcp_wallet.core.reasons import ReasonCode


def note(size: int, *, log: str = "mcp-wallet/org/log", extra: str = "") -> str:
    return f"{log}\n{size}\nq0Yzlg==\n{extra}\n— {log} c2lnbmF0dXJl\n"


@pytest.fixture
def anchor(tmp_path):
    return FileAnchor(tmp_path / "state" / "checkpoints")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "checkpoints"


async def test_before_the_first_checkpoint_there_is_none(anchor):
    assert await anchor.newest() == ""


async def test_the_newest_is_the_one_published_last(anchor):
    for size in (1, 2, 700):
        await anchor.publish(note(size))
    assert await anchor.newest() == note(700)


async def test_the_history_is_every_whole_checkpoint_oldest_first(anchor, path):
    assert await anchor.history() == []
    for size in (1, 2, 700):
        await anchor.publish(note(size))
    torn = path.read_bytes()
    path.write_bytes(torn + torn.replace(b"700", b"900")[-40:])
    assert await anchor.history() == [note(1), note(2), note(700)]


async def test_the_file_is_its_owners_alone(anchor, path):
    await anchor.publish(note(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_what_was_written_stays_byte_for_byte(anchor, path):
    await anchor.publish(note(1))
    before = path.read_bytes()
    await anchor.publish(note(2))
    assert path.read_bytes().startswith(before)
    assert path.read_text().count(note(1)) == 1


@pytest.mark.parametrize("size", [3, 9, 10])
async def test_a_checkpoint_that_is_already_covered_is_not_written(anchor, path, size):
    await anchor.publish(note(10))
    before = path.read_bytes()
    await anchor.publish(note(size))
    assert path.read_bytes() == before


async def test_another_log_starts_from_its_own_beginning(anchor):
    await anchor.publish(note(10))
    await anchor.publish(note(1, log="mcp-wallet/org/other"))
    assert await anchor.newest() == note(1, log="mcp-wallet/org/other")


@pytest.mark.parametrize("at", range(-1, -230, -7))
async def test_a_torn_last_record_is_stepped_over_and_the_next_one_is_whole(anchor, path, at):
    await anchor.publish(note(1))
    whole = path.stat().st_size
    await anchor.publish(note(2))
    torn = path.read_bytes()[:at]
    path.write_bytes(torn)
    survivor = note(2) if at == -1 else note(1)
    if len(torn) >= whole:
        assert await anchor.newest() == survivor
    await anchor.publish(note(3))
    assert await anchor.newest() == note(3)
    assert path.read_bytes().startswith(torn)


async def test_a_file_of_junk_has_no_checkpoint_and_still_takes_one(anchor, path):
    path.parent.mkdir()
    path.write_bytes(b"= checkpoint 5 " + b"0" * 64 + b"\nhello\n\xff" * 5)
    assert await anchor.newest() == ""
    await anchor.publish(note(1))
    assert await anchor.newest() == note(1)


async def test_the_newest_is_found_behind_any_amount_of_junk(anchor, path):
    await anchor.publish(note(1))
    with path.open("ab") as file:
        file.write(b"\0" * (3 * TAIL_BYTES))
    assert await anchor.newest() == note(1)


async def test_what_would_read_as_a_record_is_no_checkpoint(anchor):
    with pytest.raises(InvariantBroken):
        await anchor.publish(note(1, extra="= checkpoint 5 " + "0" * 64 + "\n"))


async def test_a_place_that_cannot_be_written_is_said_so_without_its_path(tmp_path):
    (tmp_path / "state").write_text("a file where a folder should be")
    anchor = FileAnchor(tmp_path / "state" / "checkpoints")
    with pytest.raises(OutsideError) as caught:
        await anchor.publish(note(1))
    assert caught.value.code is ReasonCode.LEDGER_UNAVAILABLE
    assert str(tmp_path) not in caught.value.message


def _publish_many(path: Path, sizes: list[int]) -> None:
    async def publish() -> None:
        for size in sizes:
            await FileAnchor(path).publish(note(size))

    asyncio.run(publish())


async def test_several_processes_append_and_the_largest_wins(anchor, path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_publish_many, args=(path, list(range(i, 200, 4)))) for i in range(1, 5)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join)
    assert [p.exitcode for p in processes] == [0, 0, 0, 0]
    sizes = [int(block.split("\n")[2]) for block in path.read_text().split("= checkpoint ")[1:]]
    assert sizes == sorted(set(sizes))
    assert await anchor.newest() == note(max(sizes)) == note(199)
