// The TypeScript clients of both majors: reads calls from stdin, a JSON line each, and answers in lines.
//
//   node typescript.mjs SERVER FOLDER 1|2 legacy|2026-07-28
//
// FOLDER has the packages in its node_modules; the product needs none of them.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const [server, folder, major, era] = process.argv.slice(2);
const { require: load } = { require: createRequire(join(resolve(folder), "package.json")) };
const named = { name: "a test", version: "1" };

function client() {
  if (major === "1") {
    const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = load("@modelcontextprotocol/sdk/client/stdio.js");
    return [new Client(named), StdioClientTransport];
  }
  const { Client } = load("@modelcontextprotocol/client");
  const { StdioClientTransport } = load("@modelcontextprotocol/client/stdio");
  const mode = era === "legacy" ? era : { pin: era };
  return [new Client(named, { versionNegotiation: { mode } }), StdioClientTransport];
}

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const [caller, Transport] = client();
const transport = new Transport({ ...JSON.parse(server), stderr: "ignore" });
await caller.connect(transport);
const spoken = caller.getNegotiatedProtocolVersion?.() ?? "";
say({ era: spoken, tools: (await caller.listTools()).tools.map((tool) => tool.name) });
for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  const answer = await caller.callTool({ name: call.tool, arguments: call.arguments });
  const text = answer.content.map((block) => block.text).join("");
  say({ error: answer.isError === true, structured: answer.structuredContent ?? null, text });
}
await caller.close();
