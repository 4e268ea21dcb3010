"""A policy file as a candidate: compiled under the settings in force, beside what it would replace."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcp_wallet.control.policy_files import load_policy_file
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.registry import SHIPPED
from mcp_wallet.core.settings import Settings

CANDIDATE_VERSION = "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A candidate and the version of the same policy that is in force, None when there is none."""

    policy: CompiledPolicy
    active: CompiledPolicy | None


def compiled_file(path: Path, settings: Settings) -> CompiledPolicy:
    """Return the policy of a file, ready to decide.

    Raises:
        OwnerError: `POLICY_INVALID` with all problems, or when a file cannot be read.
    """
    document = load_policy_file(path, registry=settings.registry, book=settings.book).document
    return compile_policy(document, version=CANDIDATE_VERSION, settings=settings)


def candidate_of(path: Path, settings: Settings, active: Mapping[str, tuple[str, str, Json]]) -> Candidate:
    """Return the policy of a file beside the active version of its id; errors as `compiled_file`.

    Args:
        active: Policy id -> (version, hash, resolved document) of what is in force.
    """
    policy = compiled_file(path, settings)
    found = active.get(policy.policy_id)
    in_force = None if found is None else compile_policy(found[2], version=found[0], settings=settings)
    return Candidate(policy=policy, active=in_force)


def settings_without_home() -> Settings:
    """Return settings that know what ships and nobody's address book: enough to compare two files."""
    return Settings(document={}, version="0", org_id="", environment="", registry=SHIPPED)
