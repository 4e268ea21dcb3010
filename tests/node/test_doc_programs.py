"""Does every block of docs/python.md and docs/langchain.md run, and print what the page shows?"""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from mcp_wallet import PolicyWallet, create_web3_adapter, open_playground
from mcp_wallet.devnet import DEV_ACCOUNTS
from mcp_wallet.devnet.client import fund, start_devnet
from tests.node.doc_programs import RUN, Block, Session, blocks_of

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]
PAGES = ("python.md", "langchain.md")
NODE = "https://your-node.example"


def is_for_real(block: Block) -> bool:
    """Whether the block belongs to a home of the reader's own."""
    return block.language in ("sh", "yaml") or NODE in block.source


def programs() -> list[Block]:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    return [block for block in blocks if block.is_program and not is_for_real(block)]


async def run(*command: str, folder: Path, **environ: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("program", programs(), ids=lambda block: block.page)
async def test_a_program_of_a_page_prints_what_the_page_shows(program: Block, tmp_path: Path):
    code, out, err = await run(sys.executable, "-c", program.source, folder=tmp_path)
    assert (code, out) == (0, program.shown), err


@pytest.mark.parametrize("page", PAGES)
async def test_the_lines_that_follow_print_what_the_page_shows(page: str):
    first, *rest = blocks_of(page)
    snippets = [block for block in rest if not block.is_program and not is_for_real(block)]
    assert len(snippets) >= 5
    async with open_playground() as play:
        adapter = await create_web3_adapter(play.private_key, play.rpc_url)
        async with PolicyWallet(adapter, api_key=play.api_key, environ=play.environ) as wallet:
            session = Session(first, play=play, wallet=wallet)
            for snippet in snippets:
                assert await session.run(snippet) == snippet.shown, snippet.source


async def test_a_home_of_ones_own_is_made_and_pays_as_the_page_says(tmp_path: Path):
    """Word for word, but for the node's address, the chain, and the token that `init` prints."""
    setup, policy, program = (block for block in blocks_of("python.md") if is_for_real(block))
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "mcp-wallet").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mcp_wallet "$@"\n')
    (tools / "mcp-wallet").chmod(0o755)
    (tmp_path / "key.txt").write_text(DEV_ACCOUNTS[3].private_key + "\n")
    (tmp_path / "key.txt").chmod(0o600)
    (tmp_path / "refunds.yaml").write_text(policy.source.replace("[base]", "[local]"))
    home = {"HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}", "COLUMNS": "200"}
    async with await start_devnet() as chain:
        await fund(chain.url, DEV_ACCOUNTS[3].address, usdc_units=100_000_000)
        script = setup.source.replace(NODE, chain.url).replace("--chain base", "--chain local")
        script = script.replace("key.txt\n", "key.txt | tee init.out\n")
        script = script.replace("=…", "=$(grep -o 'mwop_[a-z0-9_]*' init.out)")
        code, out, err = await run("bash", "-euo", "pipefail", "-c", script, folder=tmp_path, **home)
        assert code == 0, err
        key = re.findall(r"\bmw_production_\w+", out)[0]
        source = program.source.replace(NODE, chain.url)
        code, out, err = await run(sys.executable, "-c", source, folder=tmp_path, MCP_WALLET_AGENT_KEY=key, **home)
    assert (code, out) == (0, program.shown), err


@pytest.mark.parametrize("page", PAGES)
def test_no_block_of_a_page_is_left_out(page: str):
    """A block runs as a program, as a snippet, or in the home of one's own; every other language would go unread."""
    blocks = blocks_of(page)
    assert blocks[0].is_program
    assert {block.language for block in blocks} <= {"python", "sh", "yaml"}
    assert all(block.shown for block in blocks if block.language == "python")
    assert all(RUN not in block.source for block in blocks if not block.is_program)
