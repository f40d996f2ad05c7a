import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { writeAtomic } from "../write-atomic.ts";
import type { Chat, ChatReply, ChatRequest } from "./chat.ts";

/** Asks, and gives back what `parse` makes of the reply. */
export type Ask = <T>(request: ChatRequest, parse: (content: string) => T | null) => Promise<T>;

export interface AskCounts {
  requests: number;
  cached: number;
  tokensIn: number;
  tokensOut: number;
}

/**
 * Replies by the content of their request, one file each: a run that was stopped, by whatever, goes on where it was,
 * and the same question is never paid for twice. A reply that `parse` cannot use is asked for again and never kept.
 *
 * @param identity what a reply depends on besides the request: address and model
 * @throws ClaraError "input" when the endpoint gives nothing usable in `attempts` tries; what `chat` throws
 */
export function cachedAsk(
  chat: Chat,
  { directory, identity, attempts = 3 }: { directory: string; identity: string; attempts?: number },
): { ask: Ask; counts: AskCounts } {
  const counts: AskCounts = { requests: 0, cached: 0, tokensIn: 0, tokensOut: 0 };
  const ask: Ask = async (request, parse) => {
    const hash = createHash("sha256")
      .update(JSON.stringify([identity, request]))
      .digest("hex");
    const folder = join(directory, hash.slice(0, 2));
    const path = join(folder, `${hash}.json`);
    const kept = parseKept(await readFile(path, "utf8").catch(() => ""), parse);
    if (kept !== null) {
      counts.cached++;
      return kept;
    }
    let last = "";
    for (let attempt = 0; attempt < attempts; attempt++) {
      const reply = await chat(request);
      counts.requests++;
      counts.tokensIn += reply.tokens.in;
      counts.tokensOut += reply.tokens.out;
      last = reply.content;
      const value = parse(reply.content);
      if (value === null) continue;
      await mkdir(folder, { recursive: true }).catch((cause: Error) => {
        throw new ClaraError("io", `${folder}: cannot be made (${cause.message})`, { cause });
      });
      await writeAtomic(path, JSON.stringify(reply satisfies ChatReply));
      return value;
    }
    const line = last.replace(/\s+/g, " ").trim();
    throw new ClaraError(
      "input",
      `the endpoint's reply holds nothing usable, ${attempts} times: ${line === "" ? "(nothing)" : line.slice(0, 100)}`,
    );
  };
  return { ask, counts };
}

/** A file that a crash left half written, or that somebody edited, counts as none. */
function parseKept<T>(text: string, parse: (content: string) => T | null): T | null {
  try {
    const { content } = JSON.parse(text) as ChatReply;
    return typeof content === "string" ? parse(content) : null;
  } catch {
    return null;
  }
}
