import mammoth from "mammoth";
import { htmlText } from "./html.ts";
import type { Extracted, Skipped } from "./types.ts";

/** A Word file by way of HTML: its heading styles give the paths, its tables records; pictures are left out. */
export async function docxText(bytes: Uint8Array): Promise<Extracted | Skipped> {
  try {
    const { value } = await mammoth.convertToHtml(
      { buffer: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) },
      {
        styleMap: ["p[style-name='Title'] => h1:fresh"],
        convertImage: mammoth.images.imgElement(async () => ({ src: "" })),
      },
    );
    return htmlText(value);
  } catch (error) {
    return { skip: `damaged or encrypted DOCX: ${firstSentence(error)}` };
  }
}

/** Library messages go on about how to get help. */
export function firstSentence(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split(/ ?[:.?](?:\s|$)/)[0]!.trim();
}
