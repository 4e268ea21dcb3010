// The fingerprint of a payment, computed without the wallet: SHA-256 over the RFC 8785 bytes of the intent, behind a
// line that says what is hashed.
//
//   node fingerprint.mjs                 the intent below, and whether the wallet says the same
//   node fingerprint.mjs VECTORS.json    a list of {id, input, expected}; exit code 1 if one differs
//
// An intent is text all through, so that its canonical form is short to state: keys in code unit order, no spaces, and
// text escaped as JSON.stringify does. Anything that is not text is refused, never guessed.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const DOMAIN = "mcp-wallet/intent/v1\n";

const EXAMPLE = {
  id: "a refund of $50 on Base",
  input: {
    version: "1",
    orgId: "org_1",
    agentId: "refund-processor",
    intentId: "int_a",
    operation: "transfer",
    chain: "eip155:8453",
    asset: "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
    from: "0x5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
    to: "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
    amount: "50000000",
    reference: "refund #1234",
    category: "refund",
    memoHash: "",
    blind: "",
  },
  expected: "sha256:3690db83c672ee4ab3cb1ae0f897e96ef4d2ea6abdb1546e5eb4047211c9a049",
};

export function fingerprint(intent) {
  const fields = Object.keys(intent).sort().map((name) => {
    if (typeof intent[name] !== "string" || !intent[name].isWellFormed()) throw new TypeError(`${name} is not text`);
    return `${JSON.stringify(name)}:${JSON.stringify(intent[name])}`;
  });
  return "sha256:" + createHash("sha256").update(`${DOMAIN}{${fields.join(",")}}`, "utf8").digest("hex");
}

const vectors = process.argv[2] ? JSON.parse(readFileSync(process.argv[2], "utf8")) : [EXAMPLE];
for (const { id, input, expected } of vectors) {
  const found = fingerprint(input);
  console.log(`${found === expected ? "same  " : "DIFFER"} ${id}: ${found}`);
  if (found !== expected) process.exitCode = 1;
}
